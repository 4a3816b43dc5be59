// read from an empty pipe.
#include "blocked.h"
#define CALL_NR SYS_read
static int ends[2];

static void prepare(void) { MUST(pipe(ends) == 0); }

static void call(void) {
  char text[16] = "";
  CHECK_EQ(read(ends[0], text, sizeof text), 5);
  CHECK(strcmp(text, "hello") == 0);
}

static void wake(void) { CHECK_EQ(write(ends[1], "hello", 5), 5); }

BLOCKED_MAIN_WAKE
