// eventfd: counters from 0 to the largest, semaphores, flags, and one shared with a child.
#include <sys/eventfd.h>

#include "victim.h"

static uint64_t get(int fd) {
  uint64_t value = 0;
  CHECK(read(fd, &value, 8) == 8);
  return value;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int zero = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), some = eventfd(12345, 0), most = eventfd(0, EFD_NONBLOCK),
      semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
  int shared = eventfd(0, EFD_NONBLOCK);
  uint64_t value = UINT64_MAX - 1;
  MUST(zero >= 0 && some >= 0 && semaphore >= 0 && write(most, &value, 8) == 8);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    value = 9;
    CHECK(write(shared, &value, 8) == 8);
    victim_child_done();
  }
  victim_ready();
  CHECK(read(zero, &value, 8) == -1 && errno == EAGAIN);
  CHECK_EQ(fcntl(zero, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(some, F_GETFL) & O_NONBLOCK, 0);
  CHECK_EQ(get(some), 12345);
  value = 1;
  CHECK(write(most, &value, 8) == -1 && errno == EAGAIN);
  CHECK(get(most) == UINT64_MAX - 1);
  for (int i = 0; i < 3; i++) CHECK_EQ(get(semaphore), 1);
  CHECK(read(semaphore, &value, 8) == -1 && errno == EAGAIN);
  victim_join(child);
  CHECK_EQ(get(shared), 9);
  return victim_done();
}
