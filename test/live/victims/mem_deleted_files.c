// Mapped files that have no name any more: in /tmp, /dev/shm, and the run directory; mapped shared and private from one
// inode, by parent and child, with and without a descriptor left, empty.
#include "victim.h"

enum { PAGE = 4096, N = 8 };

static int make(const char* path) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  MUST(fd >= 0 && ftruncate(fd, N * PAGE) == 0);
  return fd;
}

static char* map(int fd, int prot, int flags, int first, int pages) {
  char* at = mmap(NULL, (size_t)pages * PAGE, prot, flags, fd, first * PAGE);
  MUST(at != MAP_FAILED);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static const char* const kPlaces[] = {"/tmp", "/dev/shm", "."};
  const int rw = PROT_READ | PROT_WRITE;
  char path[64], *shared[3], *copied[3], *readonly[3];
  int kept[3];
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/nsr-mapped-%d", kPlaces[i], (int)getpid());
    int fd = make(path);
    shared[i] = map(fd, rw, MAP_SHARED, 0, N);
    copied[i] = map(fd, rw, MAP_PRIVATE, 2, 4);
    kept[i] = open(path, O_RDONLY | O_CLOEXEC);
    readonly[i] = map(kept[i], PROT_READ, MAP_SHARED, 1, 2);
    victim_fill(shared[i], 6 * PAGE, (uint64_t)i);
    victim_fill(copied[i], PAGE, 100u + (uint64_t)i);
    MUST(unlink(path) == 0);
    close(fd);
    if (i == 1) close(kept[i]);
  }
  // a zero-length file, deleted and mapped
  int none = open("nsr-empty", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  char* empty = map(none, PROT_READ, MAP_SHARED, 0, 1);
  MUST(unlink("nsr-empty") == 0);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    for (int i = 0; i < 3; i++) {
      CHECK_EQ(victim_compare(copied[i], PAGE, 100u + (uint64_t)i), -1);
      shared[i][7 * PAGE] = 42;
    }
    victim_child_done();
  }

  victim_ready();

  victim_join(child);
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(victim_compare(shared[i], 6 * PAGE, (uint64_t)i), -1);
    CHECK_EQ(victim_compare(copied[i], PAGE, 100u + (uint64_t)i), -1);
    CHECK_EQ(shared[i][7 * PAGE], 42);
    shared[i][PAGE] = 43, shared[i][3 * PAGE] = 44;
    CHECK(readonly[i][0] == 43 && copied[i][PAGE] == 44, "place %d: its views are not of one file", i);
    struct stat st;
    if (i != 1)
      CHECK(fstat(kept[i], &st) == 0 && st.st_nlink == 0 && st.st_size == N * PAGE && (st.st_mode & 0777) == 0640);
    if (i != 1) CHECK(fcntl(kept[i], F_GETFL) == (O_RDONLY | 0100000));
  }
  CHECK(empty != NULL);
  return victim_done();
}
