// poll without descriptors that times out.
#include <poll.h>

#include "blocked.h"
#define CALL_NR SYS_poll

static void prepare(void) {}

static void call(void) {
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(poll(NULL, 0, 1000 * blocked_unit), 0);
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
