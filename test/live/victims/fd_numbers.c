// Descriptor numbers: one description at many numbers in several processes, holes, the highest number that the limit
// allows, close-on-exec mixed in every way, and standard descriptors that are closed.
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "victim.h"

enum { SPREAD = 300 };

// Number, close-on-exec and content of the counter behind each one.
static void check_table(const int* numbers, const int* cloexec, int top) {
  for (int i = 0; i < SPREAD; i++) CHECK_EQ(fcntl(numbers[i], F_GETFD), cloexec[i] ? FD_CLOEXEC : 0);
  int open_ones = 0;
  for (int fd = 0; fd <= top; fd++) open_ones += fcntl(fd, F_GETFD) >= 0;
  CHECK_EQ(open_ones, SPREAD + 2);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct rlimit limit = {4096, 4096};
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (int fd = 0; fd < 3; fd++) close(fd);
  int counter = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK), numbers[SPREAD], cloexec[SPREAD];
  MUST(counter == 0 && other == 1);
  for (int i = 0; i < SPREAD; i++) {
    numbers[i] = i == 0 ? 4095 : 5 + (i * 7919) % 4000;
    cloexec[i] = i % 3 == 0;
    MUST(dup3(i % 2, numbers[i], cloexec[i] ? O_CLOEXEC : 0) == numbers[i]);
  }
  pid_t child = fork();
  if (child == 0) {
    MUST(dup2(numbers[7], 3) == 3 && close(0) == 0 && close(numbers[7]) == 0 && dup2(3, numbers[7]) == numbers[7]);
    MUST(fcntl(numbers[7], F_SETFD, cloexec[7]) == 0);
    victim_wait();
    CHECK(write(3, &(uint64_t){1}, 8) == 8);
    check_table(numbers, cloexec, 4095);
    victim_child_done();
  }
  victim_ready();
  check_table(numbers, cloexec, 4095);
  CHECK(fcntl(counter, F_DUPFD, 0) == 2);
  CHECK(close(2) == 0);
  victim_join(child);
  uint64_t seen = 0;
  CHECK(read(numbers[7], &seen, 8) == 8 && seen == 1, "%ld", (long)seen);
  for (int i = 0; i < SPREAD; i++) CHECK(write(numbers[i], &(uint64_t){1}, 8) == 8);
  CHECK(read(counter, &seen, 8) == 8 && seen == SPREAD / 2);
  CHECK(read(other, &seen, 8) == 8 && seen == SPREAD / 2);
  return victim_done();
}
