// epoll: busy polling of an instance (kernel 6.9), exclusive and wake-up registrations, and one without any event.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "victim.h"

struct busy_poll {
  uint32_t usecs;
  uint16_t budget;
  uint8_t prefer, pad;
};
#define SET_BUSY_POLL _IOW(0x8a, 1, struct busy_poll)
#define GET_BUSY_POLL _IOR(0x8a, 2, struct busy_poll)

static void watch(int ep, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int ep = epoll_create1(0), exclusive = eventfd(0, EFD_NONBLOCK), wakes = eventfd(5, EFD_NONBLOCK), ends[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && ep >= 0);
  watch(ep, exclusive, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 1ull << 60);
  watch(ep, wakes, EPOLLIN | EPOLLWAKEUP, 2);
  watch(ep, ends[0], 0, 3);
  struct busy_poll set = {.usecs = 50, .budget = 4, .prefer = 1}, now = {0};
  if (ioctl(ep, SET_BUSY_POLL, &set) != 0) victim_skip("the kernel has no busy polling by epoll");

  victim_ready();

  CHECK(ioctl(ep, GET_BUSY_POLL, &now) == 0 && memcmp(&now, &set, sizeof now) == 0, "%u %u %u", now.usecs, now.budget,
        now.prefer);
  struct epoll_event seen[4], change = {.events = EPOLLIN};
  CHECK(epoll_wait(ep, seen, 4, 0) == 1 && seen[0].data.u64 == 2);
  CHECK(eventfd_write(exclusive, 1) == 0 && epoll_wait(ep, seen, 4, 0) == 2 && epoll_wait(ep, seen, 4, 0) == 1);
  CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, exclusive, &change) < 0 && errno == EINVAL, "it is exclusive still");
  CHECK(close(ends[1]) == 0 && epoll_wait(ep, seen, 4, 0) == 2, "hang-up comes without being asked for");
  return victim_done();
}
