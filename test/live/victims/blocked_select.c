// select with a timeout, and its descriptor sets.
#include <sys/select.h>

#include "blocked.h"
#define CALL_NR SYS_select
static int ends[2];

static void prepare(void) { MUST(pipe(ends) == 0); }

static void call(void) {
  fd_set reading;
  FD_ZERO(&reading);
  FD_SET(ends[0], &reading);
  struct timeval wanted = {blocked_unit, 0};
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(syscall(SYS_select, ends[0] + 1, &reading, NULL, NULL, &wanted), 0);
  CHECK(!FD_ISSET(ends[0], &reading));
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
