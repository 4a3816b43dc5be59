// flock, POSIX and OFD locks and a lease, own ones and a child's, shared and exclusive.
// engine: --file-locks
#include <sys/file.h>

#include "victim.h"

static short held_by_others(int fd, off_t at) {
  struct flock lock = {.l_type = F_WRLCK, .l_start = at, .l_len = 1};
  return fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type : -1;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int posix = open("posix", O_RDWR | O_CREAT, 0600), ofd = open("ofd", O_RDWR | O_CREAT, 0600),
      whole = open("flock", O_RDWR | O_CREAT, 0600), shared = open("shared", O_RDWR | O_CREAT, 0600),
      lease = open("lease", O_RDWR | O_CREAT, 0600);
  struct flock lock = {.l_type = F_WRLCK, .l_start = 10, .l_len = 5};
  MUST(fcntl(posix, F_SETLK, &lock) == 0);
  lock = (struct flock){.l_type = F_RDLCK, .l_start = 100};
  MUST(fcntl(ofd, F_OFD_SETLK, &lock) == 0);
  MUST(flock(whole, LOCK_EX) == 0 && flock(shared, LOCK_SH) == 0);
  MUST(fcntl(lease, F_SETLEASE, F_RDLCK) == 0 || errno == EAGAIN || errno == EINVAL);
  int leased = fcntl(lease, F_GETLEASE), ends[2];
  MUST(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    lock = (struct flock){.l_type = F_WRLCK, .l_start = 20, .l_len = 5};
    MUST(fcntl(posix, F_SETLK, &lock) == 0 && write(ends[1], "x", 1) == 1);
    victim_wait();
    CHECK_EQ(held_by_others(posix, 12), F_WRLCK);  // the parent's
    CHECK_EQ(held_by_others(posix, 22), F_UNLCK);  // its own
    victim_child_done();
  }
  char byte;
  MUST(read(ends[0], &byte, 1) == 1);

  victim_ready();

  CHECK_EQ(held_by_others(posix, 22), F_WRLCK);
  CHECK_EQ(held_by_others(posix, 15), F_UNLCK);
  int other = open("flock", O_RDWR), third = open("shared", O_RDWR), fourth = open("ofd", O_RDWR);
  CHECK(flock(other, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
  CHECK(flock(third, LOCK_SH | LOCK_NB) == 0);
  CHECK(flock(third, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
  lock = (struct flock){.l_type = F_WRLCK, .l_start = 1000000, .l_len = 1};
  CHECK(fcntl(fourth, F_OFD_SETLK, &lock) < 0 && errno == EAGAIN);
  lock = (struct flock){.l_type = F_WRLCK, .l_start = 0, .l_len = 100};
  CHECK(fcntl(fourth, F_OFD_SETLK, &lock) == 0);
  CHECK_EQ(fcntl(lease, F_GETLEASE), leased);
  victim_join(child);
  return victim_done();
}
