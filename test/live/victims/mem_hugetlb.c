// Huge pages of hugetlbfs: private and shared anonymous, a memfd mapped shared and private, a SysV segment, each partly
// filled; shared with a child.
// timeout: 60
// lock: hugepages
#include <linux/memfd.h>
#include <linux/mman.h>
#include <sys/shm.h>

#include "huge_pool.h"

enum { HUGE = 2 << 20 };
static const char kPool[] = "2048kB";

int main(int argc, char** argv) {
  victim_init(argc, argv);
  long had = huge_pool_grow(kPool, 24);
  const int flags = MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB;
  char* own = mmap(NULL, 4l * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, -1, 0);
  char* common = mmap(NULL, 4l * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | flags, -1, 0);
  int fd = memfd_create("huge", MFD_HUGETLB | MFD_HUGE_2MB | MFD_CLOEXEC);
  MUST(own != MAP_FAILED && common != MAP_FAILED && fd >= 0);
  MUST(ftruncate(fd, 4l * HUGE) == 0);
  char* file = mmap(NULL, 4l * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char* copied = mmap(NULL, 2l * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, HUGE);
  int segment = shmget(IPC_PRIVATE, 2l * HUGE, IPC_CREAT | SHM_HUGETLB | 0600);
  MUST(file != MAP_FAILED && copied != MAP_FAILED && segment >= 0);
  char* sysv = shmat(segment, NULL, 0);
  MUST(sysv != (void*)-1);
  MUST(shmctl(segment, IPC_RMID, NULL) == 0);
  victim_fill(own + HUGE, HUGE, 1);
  victim_fill(common + 2 * HUGE, HUGE, 2);
  victim_fill(file, 2 * HUGE, 3);
  victim_fill(copied, HUGE, 4);
  victim_fill(sysv + HUGE, HUGE, 5);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK_EQ(victim_compare(own + HUGE, HUGE, 1), -1);
    CHECK_EQ(victim_compare(common + 2 * HUGE, HUGE, 12), -1);
    CHECK_EQ(victim_compare(copied, HUGE, 4), -1);
    victim_child_done();
  }

  victim_ready();

  CHECK_EQ(victim_compare(own + HUGE, HUGE, 1), -1);
  CHECK(own[0] == 0 && own[3 * HUGE] == 0);
  CHECK_EQ(victim_compare(common + 2 * HUGE, HUGE, 2), -1);
  CHECK_EQ(victim_compare(file, HUGE, 3), -1);
  CHECK_EQ(victim_compare(copied, HUGE, 4), -1);
  CHECK_EQ(victim_compare(sysv + HUGE, HUGE, 5), -1);
  char word[8];
  CHECK(pread(fd, word, 8, 8) == 8 && memcmp(word, file + 8, 8) == 0);
  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_blksize == HUGE);
  victim_fill(common + 2 * HUGE, HUGE, 12);
  victim_join(child);
  munmap(own, 4l * HUGE), munmap(common, 4l * HUGE), munmap(file, 4l * HUGE), munmap(copied, 2l * HUGE);
  shmdt(sysv), close(fd);
  huge_pool(kPool, had);
  return victim_done();
}
