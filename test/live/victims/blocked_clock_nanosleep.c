// clock_nanosleep, relative, on CLOCK_BOOTTIME, with a remainder argument.
#include "blocked.h"
#define CALL_NR SYS_clock_nanosleep

static void prepare(void) {}

static void call(void) {
  struct timespec wanted = {blocked_unit, 0}, left = {77, 77};
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(clock_nanosleep(CLOCK_BOOTTIME, 0, &wanted, &left), 0);
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
