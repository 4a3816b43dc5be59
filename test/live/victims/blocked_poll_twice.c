// A poll that had been interrupted before: its system call is restart_syscall when the dump comes.
#include "blocked.h"
#define CALL_NR SYS_restart_syscall

static void prepare(void) {}

static void call(void) {
  int wanted = 1000 * blocked_unit + 500;
  pid_t helper = blocked_interrupt_once(SYS_poll);
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(syscall(SYS_poll, NULL, 0, wanted), 0);
  blocked_check_duration(start, blocked_unit + 0.5);
  CHECK_EQ(waitpid(helper, NULL, 0), helper);
}

BLOCKED_MAIN_TIMEOUT
