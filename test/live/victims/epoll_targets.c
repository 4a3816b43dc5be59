// epoll: targets of several kinds, their events and data, edge-triggered, one-shot that has fired, nested, and one
// instance shared by fork.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "victim.h"

static void add(int epoll, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static uint32_t events_for(int epoll, uint64_t data) {
  struct epoll_event found[16];
  int n = epoll_wait(epoll, found, 16, 0);
  for (int i = 0; i < n; i++)
    if (found[i].data.u64 == data) return found[i].events;
  return 0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int data[2], idle[2], once[2], counter = eventfd(3, EFD_NONBLOCK), outer = epoll_create1(EPOLL_CLOEXEC),
                                 inner = epoll_create1(0);
  MUST(pipe(data) == 0 && pipe(idle) == 0 && pipe(once) == 0 && counter >= 0 && outer >= 0 && inner >= 0);
  MUST(write(data[1], "x", 1) == 1 && write(once[1], "x", 1) == 1);
  add(outer, data[0], EPOLLIN, 0xfedcba9876543210);
  add(outer, idle[0], EPOLLIN | EPOLLET | EPOLLRDHUP, 2);
  add(outer, once[0], EPOLLIN | EPOLLONESHOT, 3);
  add(inner, counter, EPOLLIN, 4);
  add(outer, inner, EPOLLIN, 5);
  MUST(events_for(outer, 3) == EPOLLIN && events_for(outer, 3) == 0);  // fired: disarmed now
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK_EQ(events_for(outer, 0xfedcba9876543210), EPOLLIN);
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 6};
    CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, idle[1], &event) == 0);
    victim_child_done();
  }

  victim_ready();

  CHECK_EQ(fcntl(outer, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(events_for(outer, 0xfedcba9876543210), EPOLLIN);
  CHECK_EQ(events_for(outer, 2), 0);
  CHECK_EQ(events_for(outer, 3), 0);
  CHECK_EQ(events_for(outer, 5), EPOLLIN);
  CHECK_EQ(events_for(inner, 4), EPOLLIN);
  CHECK(write(idle[1], "y", 1) == 1);
  CHECK_EQ(events_for(outer, 2), EPOLLIN);
  CHECK_EQ(events_for(outer, 2), 0);  // edge-triggered
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 33};
  CHECK(epoll_ctl(outer, EPOLL_CTL_MOD, once[0], &event) == 0);
  CHECK_EQ(events_for(outer, 33), EPOLLIN);
  CHECK_EQ(events_for(outer, 6), 0);
  victim_join(child);
  CHECK_EQ(events_for(outer, 6), EPOLLOUT);  // the child's addition: one instance
  CHECK(epoll_ctl(outer, EPOLL_CTL_DEL, data[0], &event) == 0);
  CHECK_EQ(events_for(outer, 0xfedcba9876543210), 0);
  return victim_done();
}
