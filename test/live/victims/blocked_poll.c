// poll with a long timeout on a pipe that becomes readable after the restore.
#include <poll.h>

#include "blocked.h"
#define CALL_NR SYS_poll
static int ends[2];

static void prepare(void) { MUST(pipe(ends) == 0); }

static void call(void) {
  struct pollfd wanted = {.fd = ends[0], .events = POLLIN};
  CHECK_EQ(poll(&wanted, 1, 1000000), 1);
  CHECK_EQ(wanted.revents, POLLIN);
}

static void wake(void) { CHECK_EQ(write(ends[1], "x", 1), 1); }

BLOCKED_MAIN_WAKE
