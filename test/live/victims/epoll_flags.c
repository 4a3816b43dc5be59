// epoll: every flag, nested instances, targets whose number was closed here but lives under another number or in a
// child, one description watched under two numbers, and pipes, timers and sockets as targets.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "victim.h"

static void watch(int ep, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
}

// Bits of the data (1 << data) of everything that is ready.
static uint64_t ready_of(int ep) {
  struct epoll_event e[32];
  uint64_t bits = 0;
  int n = epoll_wait(ep, e, 32, 0);
  for (int i = 0; i < n; i++) bits |= 1ull << e[i].data.u64;
  return bits;
}

static void bump(int fd) { CHECK(write(fd, &(uint64_t){1}, 8) == 8); }

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int ep = epoll_create1(EPOLL_CLOEXEC), ev[8];
  for (int i = 0; i < 8; i++) ev[i] = eventfd(0, EFD_NONBLOCK);
  watch(ep, ev[0], EPOLLIN | EPOLLET, 0);
  watch(ep, ev[1], EPOLLIN | EPOLLONESHOT, 1);
  watch(ep, ev[2], EPOLLIN | EPOLLEXCLUSIVE, 2);
  watch(ep, ev[3], EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLWAKEUP | EPOLLHUP | EPOLLERR, 3);
  watch(ep, ev[4], 0, 4);
  watch(ep, ev[5], EPOLLIN | EPOLLET | EPOLLONESHOT, 5);
  // fired once, then armed again
  watch(ep, ev[6], EPOLLIN | EPOLLONESHOT, 6);
  bump(ev[6]);
  MUST(ready_of(ep) == 1 << 6 && read(ev[6], (char[8]){0}, 8) == 8);
  struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 6};
  MUST(epoll_ctl(ep, EPOLL_CTL_MOD, ev[6], &again) == 0);
  // closed here, lives on as a duplicate
  int copy = dup(ev[7]);
  watch(ep, ev[7], EPOLLIN, 7);
  MUST(copy >= 0 && close(ev[7]) == 0);
  // one description under two numbers
  int twice = eventfd(0, 0), twin = dup(twice);
  watch(ep, twice, EPOLLIN, 8);
  watch(ep, twin, EPOLLIN, 9);
  int inner = epoll_create1(0), innermost = epoll_create1(0), deep = eventfd(0, 0);
  watch(innermost, deep, EPOLLIN, 0);
  watch(inner, innermost, EPOLLIN, 0);
  watch(ep, inner, EPOLLIN, 10);
  int ends[2], pair[2];
  MUST(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  watch(ep, ends[0], EPOLLIN | EPOLLET, 11);
  watch(ep, pair[0], EPOLLIN | EPOLLRDHUP, 12);
  int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  watch(ep, timer, EPOLLIN, 13);
  // closed here, open in a child
  int far = eventfd(0, 0);
  watch(ep, far, EPOLLIN, 14);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    bump(far);
    CHECK(ready_of(ep) & 1 << 14);
    victim_child_done();
  }
  MUST(close(far) == 0);
  victim_ready();
  CHECK_EQ(ready_of(ep), 0);
  for (int i = 0; i < 7; i++) bump(ev[i]);
  CHECK_EQ(ready_of(ep), 0x6f);
  bump(ev[1]);
  CHECK_EQ(ready_of(ep), 1 << 2 | 1 << 3);
  bump(ev[0]);
  CHECK(ready_of(ep) & 1);
  bump(copy);
  CHECK(ready_of(ep) & 1 << 7);
  bump(twin);
  CHECK_EQ(ready_of(ep) & (3 << 8), 3 << 8);
  bump(deep);
  CHECK(ready_of(ep) & 1 << 10);
  CHECK(write(ends[1], "x", 1) == 1 && (ready_of(ep) & 1 << 11) && !(ready_of(ep) & 1 << 11));
  CHECK(shutdown(pair[1], SHUT_WR) == 0 && (ready_of(ep) & 1 << 12));
  struct itimerspec soon = {.it_value = {0, 1}};
  CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
  struct epoll_event e;
  while (!(ready_of(ep) & 1 << 13)) CHECK(epoll_wait(ep, &e, 1, 1000) >= 0);
  victim_join(child);
  CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, ev[2], NULL) == 0 && epoll_ctl(ep, EPOLL_CTL_DEL, ev[4], NULL) == 0);
  return victim_done();
}
