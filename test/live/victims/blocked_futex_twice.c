// A futex wait that had been interrupted before: its system call is restart_syscall when the dump comes.
#include <linux/futex.h>

#include "blocked.h"
#define CALL_NR SYS_restart_syscall

static void prepare(void) {}

static void call(void) {
  struct timespec wanted = {blocked_unit, 500000000};
  static int word;
  pid_t helper = blocked_interrupt_once(SYS_futex);
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &wanted, NULL, 0) == -1 && errno == ETIMEDOUT);
  blocked_check_duration(start, blocked_unit + 0.5);
  CHECK_EQ(waitpid(helper, NULL, 0), helper);
}

BLOCKED_MAIN_TIMEOUT
