// futex wait with a relative timeout.
#include <linux/futex.h>

#include "blocked.h"
#define CALL_NR SYS_futex
static atomic_int word = 5;

static void prepare(void) {}

static void call(void) {
  struct timespec wanted = {blocked_unit, 0};
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &wanted, NULL, 0), -1);
  CHECK_EQ(errno, ETIMEDOUT);
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
