// Descriptor tables up to the hard limit: one in which every number is taken, one that has none but the highest, and a
// child that shares nothing with them. Locks, pipes and the order of numbers in the full one are as they were.
// timeout: 60
#include <sys/resource.h>

#include "victim.h"

static int limit;

static void take_highest(void) {
  int file = open("highest", O_RDWR | O_CREAT, 0600);
  MUST(file >= 0);
  for (int fd = limit - 50; fd < limit; fd++) MUST(dup2(file, fd) == fd);
  MUST(close_range(0, (unsigned)limit - 51, 0) == 0);
}

static void has_highest(void) {
  for (int fd = 0; fd < 100; fd++) CHECK(fcntl(fd, F_GETFD) < 0, "%d", fd);
  for (int fd = limit - 50; fd < limit; fd++) CHECK(fcntl(fd, F_GETFD) == 0, "%d", fd);
  CHECK(open("/dev/null", O_RDONLY) == 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct rlimit files;
  MUST(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max = files.rlim_max < 20000 ? files.rlim_max : 20000;
  MUST(setrlimit(RLIMIT_NOFILE, &files) == 0);
  limit = (int)files.rlim_max;
  pid_t highest = fork();
  if (highest == 0) {
    take_highest();
    victim_wait();
    has_highest();
    victim_child_done();
  }
  int ends[2];
  MUST(pipe(ends) == 0 && write(ends[1], "inside", 6) == 6);
  victim_announce(NULL);
  int last = 0;
  for (int fd; (fd = last % 2 ? dup(0) : open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0;) last = fd;
  MUST(errno == EMFILE && last == limit - 1);

  victim_wait();

  CHECK(dup(0) < 0 && errno == EMFILE);
  for (int fd = 5; fd < limit; fd++) CHECK(fcntl(fd, F_GETFD) == (fd % 2 ? FD_CLOEXEC : 0) || fd == 5, "%d", fd);
  CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == files.rlim_max && (int)files.rlim_max == limit);
  char text[8];
  CHECK(read(ends[0], text, sizeof text) == 6);
  for (int fd = 5; fd < 20; fd++) CHECK(close(fd) == 0);
  victim_join(highest);
  return victim_done();
}
