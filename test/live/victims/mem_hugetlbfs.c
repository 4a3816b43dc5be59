// Files of a hugetlbfs: with a name, deleted, mapped shared and private, opened only; hugetlb memfds that are sealed,
// of no data, or only mapped privately; huge private memory with a hole, protected in part, shared with a child
// copy-on-write.
// timeout: 60
// lock: hugepages
// mounts
#include <sys/mount.h>

#include "huge_pool.h"

enum { HUGE = 2 << 20 };

static char* map(int fd, int pages, int flags) {
  char* at = mmap(NULL, (size_t)pages * HUGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  MUST(at != MAP_FAILED);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  long had = huge_pool_grow("2048kB", 32);
  struct stat st;
  char name[2][96];
  bool there = mkdir("huge", 0700) == 0 && mount("none", "huge", "hugetlbfs", 0, NULL) == 0;
  char *named = NULL, *named_private = NULL, *deleted = NULL, *deleted_private = NULL;
  int fd[2] = {-1, -1};
  for (int i = 0; i < 2 && there; i++) {
    snprintf(name[i], sizeof name[i], "huge/%d", i);
    fd[i] = open(name[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    MUST(fd[i] >= 0);
    if (ftruncate(fd[i], 4 * HUGE)) there = false, unlink(name[i]);
  }
  if (there) {
    named = map(fd[0], 4, MAP_SHARED), named_private = map(fd[0], 4, MAP_PRIVATE);
    deleted = map(fd[1], 4, MAP_SHARED), deleted_private = map(fd[1], 4, MAP_PRIVATE);
    victim_fill(named, HUGE, 1), victim_fill(named_private + HUGE, HUGE, 2);
    victim_fill(deleted + 2 * HUGE, HUGE, 3), victim_fill(deleted_private + HUGE, HUGE, 4);
    MUST(unlink(name[1]) == 0);
  }
  int sealed = memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING | MFD_CLOEXEC);
  MUST(sealed >= 0 && ftruncate(sealed, 2 * HUGE) == 0);
  char* s = map(sealed, 2, MAP_SHARED);
  victim_fill(s, HUGE, 5);
  MUST(fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
  int empty = memfd_create("empty", MFD_HUGETLB | MFD_CLOEXEC);
  MUST(empty >= 0);
  char* p = map(-1, 4, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
  victim_fill(p, HUGE, 6), victim_fill(p + 3 * HUGE, HUGE, 7);
  MUST(madvise(p + HUGE, HUGE, MADV_DONTNEED) == 0 && mprotect(p + 3 * HUGE, HUGE, PROT_NONE) == 0);
  pid_t child = fork();
  if (child == 0) {
    p[8] = 66;
    victim_wait();
    CHECK_EQ(p[8], 66);
    s[HUGE] = 9;
    if (there) CHECK_EQ(victim_compare(named_private + HUGE, HUGE, 2), -1);
    victim_child_done();
  }

  victim_ready();

  if (there) {
    CHECK_EQ(victim_compare(named, HUGE, 1), -1);
    CHECK_EQ(victim_compare(named_private + HUGE, HUGE, 2), -1);
    CHECK_EQ(victim_compare(deleted + 2 * HUGE, HUGE, 3), -1);
    CHECK_EQ(victim_compare(deleted_private + HUGE, HUGE, 4), -1);
    CHECK(fstat(fd[1], &st) == 0 && st.st_size == 4 * HUGE && st.st_nlink == 0 && st.st_blksize == HUGE);
    unlink(name[0]);
  }
  CHECK_EQ(victim_compare(s, HUGE, 5), -1);
  CHECK_EQ(fcntl(sealed, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK);
  CHECK(fstat(empty, &st) == 0 && st.st_size == 0 && st.st_blksize == HUGE && ftruncate(empty, HUGE) == 0);
  CHECK_EQ(victim_compare(p, HUGE, 6), -1);
  CHECK(mprotect(p + 3 * HUGE, HUGE, PROT_READ) == 0);
  CHECK_EQ(victim_compare(p + 3 * HUGE, HUGE, 7), -1);
  victim_join(child);
  CHECK_EQ(s[HUGE], 9);
  if (there) CHECK(close(fd[0]) == 0 && close(fd[1]) == 0 && umount2("huge", MNT_DETACH) == 0);
  huge_pool("2048kB", had);
  return victim_done();
}
