// epoll targets whose descriptor number was reused or duplicated: the watch stays with the description that was added.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int epoll = epoll_create1(0), first = eventfd(1, 0);
  MUST(epoll >= 0 && first >= 0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 11}, found[4];
  MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, first, &event) == 0);
  int copy = dup(first);
  MUST(copy >= 0);
  int other = eventfd(0, 0);
  MUST(dup2(other, first) == first);  // `first` is another eventfd now; the watched one lives on as `copy`
  victim_ready();
  CHECK_EQ(epoll_wait(epoll, found, 4, 0), 1);
  CHECK_EQ(found[0].data.u64, 11);
  uint64_t value = 0;
  CHECK(read(copy, &value, 8) == 8 && value == 1);
  CHECK_EQ(epoll_wait(epoll, found, 4, 0), 0);
  value = 1;
  CHECK(write(first, &value, 8) == 8);
  CHECK_EQ(epoll_wait(epoll, found, 4, 0), 0);
  CHECK(write(copy, &value, 8) == 8);
  CHECK_EQ(epoll_wait(epoll, found, 4, 0), 1);
  return victim_done();
}
