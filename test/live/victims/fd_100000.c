// More open files in a tree than one process may have: 100,000 of many kinds, most of them distinct, some shared by
// duplicates and by brothers, in tables with gaps.
// flavours: ns
// timeout: 120
// dump: --ghost-limit 1M
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "victim.h"

enum { PROCESSES = 10, EACH = 10000, FIRST = 100, STEP = 10 };

static int shared_count;

// A file of the i-th kind at number n (and n + 1 for two ends); what can be told again afterwards.
static void make(int n, int i, int p) {
  char name[32];
  int two[2] = {-1, -1};
  switch (i % 6) {
    case 0:
      two[0] = eventfd(i, EFD_NONBLOCK);
      break;
    case 1:
      MUST(pipe(two) == 0 && write(two[1], &i, sizeof i) == sizeof i);
      break;
    case 2:
      two[0] = open("numbers", O_RDONLY | (i & 8 ? O_CLOEXEC : 0));
      MUST(lseek(two[0], i, SEEK_SET) == i);
      break;
    case 3:
      snprintf(name, sizeof name, "gone.%d", p);
      two[0] = i % 60 != 3 ? dup(shared_count) : open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
      MUST(i % 60 != 3 || (write(two[0], &i, sizeof i) == sizeof i && unlink(name) == 0));
      break;
    case 4:
      MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, two) == 0);
      break;
    case 5:
      two[0] = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
      break;
  }
  for (int k = 0; k < 2 && two[k] >= 0; k++) {
    int flags = fcntl(two[k], F_GETFD);
    MUST(dup3(two[k], n + k, flags & FD_CLOEXEC ? O_CLOEXEC : 0) == n + k && close(two[k]) == 0);
  }
}

static void check(int n, int i) {
  uint64_t count = 0;
  int word = -1;
  struct itimerspec left;
  switch (i % 6) {
    case 0:
      CHECK(read(n, &count, sizeof count) == (i ? 8 : -1) && count == (uint64_t)i, "eventfd %d", n);
      break;
    case 1:
      CHECK(read(n, &word, sizeof word) == sizeof word && word == i, "pipe %d", n);
      break;
    case 2:
      CHECK(lseek(n, 0, SEEK_CUR) == i && !(fcntl(n, F_GETFD) & FD_CLOEXEC) == !(i & 8), "file %d", n);
      break;
    case 3:
      if (i % 60 != 3)
        CHECK(eventfd_write(n, 1) == 0, "shared %d", n);
      else
        CHECK(pread(n, &word, sizeof word, 0) == sizeof word && word == i, "deleted %d", n);
      break;
    case 4:
      CHECK(send(n, &i, sizeof i, 0) == sizeof i && recv(n + 1, &word, sizeof word, MSG_DONTWAIT) == sizeof word &&
                word == i,
            "%d", n);
      break;
    case 5:
      CHECK(timerfd_gettime(n, &left) == 0 && left.it_value.tv_sec == 0, "timerfd %d", n);
      break;
  }
}

static bool has_two(int i) { return i % 6 == 1 || i % 6 == 4; }

static void child(int p, int ready) {
  for (int i = 0, n = FIRST; n < EACH + FIRST; n += has_two(i) ? 2 : 1, i++) make(n, i, p);
  MUST(write(ready, "x", 1) == 1);
  close(ready);
  victim_wait();
  for (int i = 0, n = FIRST; n < EACH + FIRST; n += has_two(i) ? 2 : 1, i++) check(n, i);
  CHECK(fcntl(FIRST - 1, F_GETFD) < 0 && fcntl(EACH + FIRST + 1, F_GETFD) < 0);
  victim_child_done();
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct rlimit limit;
  MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_max < EACH + 2 * FIRST) victim_skip("the hard limit of open files is too low");
  limit.rlim_cur = limit.rlim_max;
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  int file = open("numbers", O_RDWR | O_CREAT, 0600), ready[2];
  MUST(file >= 0 && ftruncate(file, 1 << 20) == 0 && pipe(ready) == 0);
  shared_count = eventfd(0, EFD_NONBLOCK);
  MUST(shared_count >= 0);
  pid_t children[PROCESSES];
  for (int p = 0; p < PROCESSES; p++) {
    children[p] = fork();
    MUST(children[p] >= 0);
    if (children[p] == 0) child(p, ready[1]);
  }
  char byte;
  for (int p = 0; p < PROCESSES; p++) MUST(read(ready[0], &byte, 1) == 1);
  victim_ready();
  for (int p = 0; p < PROCESSES; p++) victim_join(children[p]);
  uint64_t count = 0, want = 0;
  for (int i = 0, n = FIRST; n < EACH + FIRST; n += has_two(i) ? 2 : 1, i++) want += i % 6 == 3 && i % 60 != 3;
  CHECK(read(shared_count, &count, sizeof count) == sizeof count && count == PROCESSES * want);
  return victim_done();
}
