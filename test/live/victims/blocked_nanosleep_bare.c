// nanosleep without a remainder argument.
#include "blocked.h"
#define CALL_NR SYS_nanosleep

static void prepare(void) {}

static void call(void) {
  struct timespec wanted = {blocked_unit, 0};
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(syscall(SYS_nanosleep, &wanted, NULL), 0);
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
