// write to a full pipe; nothing is lost and nothing comes twice.
#include "blocked.h"
#define CALL_NR SYS_write
enum { EXTRA = 4096 };
static int ends[2];
static long filled;

static void prepare(void) {
  MUST(pipe(ends) == 0);
  MUST(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  char page[4096];
  memset(page, 97, sizeof page);
  for (ssize_t n; (n = write(ends[1], page, sizeof page)) > 0;) filled += n;
  MUST(fcntl(ends[1], F_SETFL, 0) == 0);
}

static void call(void) {
  char page[EXTRA];
  memset(page, 98, sizeof page);
  CHECK_EQ(write(ends[1], page, sizeof page), EXTRA);
}

static void wake(void) {
  long first = 0, second = 0;
  char page[4096];
  while (first + second < filled + EXTRA) {
    ssize_t n = read(ends[0], page, sizeof page);
    CHECK(n > 0);
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; i++) (page[i] == 97 ? first++ : second++);
  }
  CHECK_EQ(first, filled);
  CHECK_EQ(second, EXTRA);
  CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  CHECK(read(ends[0], page, 1) == -1 && errno == EAGAIN);
}

BLOCKED_MAIN_WAKE
