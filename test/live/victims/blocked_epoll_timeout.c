// epoll_wait with a timeout: either EINTR or the full time.
#include <sys/epoll.h>

#include "blocked.h"
#define CALL_NR SYS_epoll_wait
static int epoll;

static void prepare(void) {
  epoll = epoll_create1(0);
  MUST(epoll >= 0);
}

static void call(void) {
  struct epoll_event event;
  double start = victim_now(CLOCK_MONOTONIC), end = start + blocked_unit;
  for (;;) {
    int left = (int)((end - victim_now(CLOCK_MONOTONIC)) * 1000) + 1;
    int n = (int)syscall(SYS_epoll_wait, epoll, &event, 1, left < 0 ? 0 : left);
    if (n == -1 && errno == EINTR) continue;
    CHECK_EQ(n, 0);
    break;
  }
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
