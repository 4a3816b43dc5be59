// pselect without a timeout on a pipe that becomes readable.
#include <sys/select.h>

#include "blocked.h"
#define CALL_NR SYS_pselect6
static int ends[2];

static void prepare(void) { MUST(pipe(ends) == 0); }

static void call(void) {
  fd_set reading;
  FD_ZERO(&reading);
  FD_SET(ends[0], &reading);
  CHECK_EQ(pselect(ends[0] + 1, &reading, NULL, NULL, NULL, NULL), 1);
  CHECK(FD_ISSET(ends[0], &reading));
}

static void wake(void) { CHECK_EQ(write(ends[1], "x", 1), 1); }

BLOCKED_MAIN_WAKE
