// File locks in a family: a flock and an OFD lock shared by fork, read locks of several tasks on one range, many
// ranges, one process that waits for a lock that another one holds, leases for reading and writing, and conflicts
// afterwards.
// engine: --file-locks
// leaders: any
#include <sys/file.h>

#include "victim.h"

static int lock(int fd, int command, short type, off_t start, off_t length) {
  struct flock f = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, command, &f);
}

// Type of the lock that is in the way of a write lock there, seen through a description of its own. It stays open:
// closing it would give up all POSIX locks of this process on the file.
static short in_the_way(const char* path, off_t start) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
  CHECK(fd >= 0 && fcntl(fd, F_OFD_GETLK, &f) == 0);
  return f.l_type;
}

static int make(const char* path) {
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  MUST(fd >= 0 && ftruncate(fd, 4096) == 0);
  return fd;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int whole = make("flock"), ofd = make("ofd"), posix = make("posix"), waited = make("waited"), leased = make("lease");
  MUST(close(make("read-lease")) == 0);
  int read_leased = open("read-lease", O_RDONLY), go[2];
  MUST(flock(whole, LOCK_EX) == 0 && lock(ofd, F_OFD_SETLK, F_WRLCK, 10, 20) == 0);
  for (int i = 0; i < 20; i++) MUST(lock(posix, F_SETLK, i % 2 ? F_WRLCK : F_RDLCK, i * 100, 50) == 0);
  MUST(lock(waited, F_SETLK, F_WRLCK, 0, 0) == 0);
  MUST(fcntl(leased, F_SETLEASE, F_WRLCK) == 0 && read_leased >= 0 && fcntl(read_leased, F_SETLEASE, F_RDLCK) == 0);
  MUST(pipe(go) == 0);
  pid_t holder = fork();
  if (holder == 0) {
    MUST(lock(posix, F_SETLK, F_RDLCK, 0, 50) == 0 && write(go[1], "x", 1) == 1);
    victim_wait();
    CHECK(flock(whole, LOCK_UN) == 0 && lock(ofd, F_OFD_SETLK, F_UNLCK, 0, 0) == 0);
    victim_child_done();
  }
  pid_t waiter = fork();
  if (waiter == 0) {
    char word[64];
    snprintf(word, sizeof word, "blocked %d %d", getpid(), SYS_fcntl);
    MUST(close(leased) == 0 && close(read_leased) == 0 && write(go[1], "x", 1) == 1);
    int got = lock(waited, F_SETLKW, F_WRLCK, 0, 10);
    CHECK(got == 0, "waiting for the lock");
    victim_child_done();
  }
  MUST(read(go[0], (char[2]){0}, 1) == 1 && read(go[0], (char[2]){0}, 1) == 1);
  char words[64];
  snprintf(words, sizeof words, "blocked %d %d", waiter, SYS_fcntl);
  victim_announce(words);
  victim_wait();
  int other = open("flock", O_RDONLY), status = -1;
  CHECK(flock(other, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
  CHECK_EQ(in_the_way("ofd", 15), F_WRLCK);
  CHECK_EQ(in_the_way("ofd", 30), F_UNLCK);
  for (int i = 0; i < 20; i++) {
    CHECK_EQ(in_the_way("posix", i * 100 + 49), i % 2 ? F_WRLCK : F_RDLCK);
    CHECK_EQ(in_the_way("posix", i * 100 + 50), F_UNLCK);
  }
  CHECK(lock(posix, F_SETLK, F_UNLCK, 0, 0) == 0);
  CHECK_EQ(in_the_way("posix", 0), F_RDLCK);  // the child's
  CHECK_EQ(in_the_way("posix", 200), F_UNLCK);
  CHECK_EQ(fcntl(leased, F_GETLEASE), F_WRLCK);
  CHECK_EQ(fcntl(read_leased, F_GETLEASE), F_RDLCK);
  CHECK_EQ(in_the_way("waited", 0), F_WRLCK);
  CHECK(waitpid(waiter, &status, WNOHANG) == 0);
  CHECK(lock(waited, F_SETLK, F_UNLCK, 0, 0) == 0);
  CHECK(waitpid(waiter, &status, 0) == waiter && status == 0);
  victim_join(holder);
  CHECK(flock(other, LOCK_EX | LOCK_NB) == 0);
  CHECK_EQ(in_the_way("ofd", 15), F_UNLCK);
  return victim_done();
}
