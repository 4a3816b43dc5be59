// A nanosleep which had been interrupted before: its system call is restart_syscall when the dump comes.
#include "blocked.h"
#define CALL_NR SYS_restart_syscall

static void prepare(void) {}

static void call(void) {
  struct timespec wanted = {blocked_unit, 500000000}, left;
  pid_t helper = blocked_interrupt_once(SYS_nanosleep);
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(syscall(SYS_nanosleep, &wanted, &left), 0);
  blocked_check_duration(start, blocked_unit + 0.5);
  CHECK_EQ(waitpid(helper, NULL, 0), helper);
}

BLOCKED_MAIN_TIMEOUT
