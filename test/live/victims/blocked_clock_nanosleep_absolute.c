// clock_nanosleep to an absolute time ends at that time.
#include "blocked.h"
#define CALL_NR SYS_clock_nanosleep

static void prepare(void) {}

static void call(void) {
  struct timespec when;
  clock_gettime(CLOCK_MONOTONIC, &when);
  double start = victim_now(CLOCK_MONOTONIC);
  when.tv_sec += blocked_unit;
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL), 0);
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
