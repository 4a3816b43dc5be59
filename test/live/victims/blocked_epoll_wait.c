// epoll_wait without a timeout; a stop makes it return EINTR (signal(7)), then it is called again.
#include <sys/epoll.h>

#include "blocked.h"
#define CALL_NR SYS_epoll_wait
static int ends[2], epoll;

static void prepare(void) {
  MUST(pipe(ends) == 0);
  epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef};
  MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
}

static void call(void) {
  struct epoll_event event = {0};
  int n;
  while ((n = (int)syscall(SYS_epoll_wait, epoll, &event, 1, -1)) == -1 && errno == EINTR) {
  }
  CHECK_EQ(n, 1);
  CHECK_EQ(event.events, EPOLLIN);
  CHECK_EQ(event.data.u64, 0x123456789abcdef);
}

static void wake(void) { CHECK_EQ(write(ends[1], "x", 1), 1); }

BLOCKED_MAIN_WAKE
