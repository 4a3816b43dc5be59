// sigtimedwait with a timeout: never EAGAIN before the time; EINTR after a stop is as documented (signal(7)).
#include "blocked.h"
#define CALL_NR SYS_rt_sigtimedwait

static void prepare(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void call(void) {
  sigset_t set;
  struct timespec wanted = {blocked_unit, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  double start = victim_now(CLOCK_MONOTONIC);
  int result;
  while ((result = sigtimedwait(&set, NULL, &wanted)) == -1 && errno == EINTR) {
  }
  CHECK_EQ(result, -1);
  CHECK_EQ(errno, EAGAIN);
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
