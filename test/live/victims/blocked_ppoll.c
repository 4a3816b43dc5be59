// ppoll with a timeout and a signal mask; the mask of the thread is back afterwards.
#include <poll.h>

#include "blocked.h"
#define CALL_NR SYS_ppoll

static void prepare(void) {}

static void call(void) {
  struct timespec wanted = {blocked_unit, 0};
  sigset_t inside, before, after;
  sigfillset(&inside);
  pthread_sigmask(SIG_BLOCK, NULL, &before);
  double start = victim_now(CLOCK_MONOTONIC);
  int result = ppoll(NULL, 0, &wanted, &inside);
  // a call with a changed mask that was interrupted may report so (signal(7)); it must not report anything else
  CHECK(result == 0 || (result == -1 && errno == EINTR), "ppoll gave %d", result);
  if (result == 0) blocked_check_duration(start, blocked_unit);
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  CHECK(sigismember(&before, SIGUSR1) == sigismember(&after, SIGUSR1));
  CHECK(sigismember(&after, SIGTERM) == 0);
  CHECK(sigismember(&after, VICTIM_GO) == 1);
}

BLOCKED_MAIN_TIMEOUT
