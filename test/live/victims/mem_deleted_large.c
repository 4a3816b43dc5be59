// Shared memory without a name of many MiB: POSIX shared memory that was unlinked at once, as databases do it, by
// parent and children, sparse, one that still has its name; a deleted file of a disk within the limit for
// ghosts.
#include "victim.h"

enum { MIB = 1 << 20 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char name[64];
  char* at[3];
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "/nsr-large-%d-%d", (int)getpid(), i);
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    MUST(fd >= 0 && ftruncate(fd, i == 2 ? 1ll << 36 : 16 * MIB) == 0);
    at[i] = mmap(NULL, i == 2 ? 1ul << 36 : 16 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(at[i] != MAP_FAILED);
    if (i != 1) shm_unlink(name);
    if (i != 2) victim_fill(at[i], 16 * MIB, (uint64_t)i);
    if (i != 0) close(fd);
  }
  victim_fill(at[2] + (1ul << 35), MIB, 2);
  int fd = open("on disk", O_RDWR | O_CREAT | O_EXCL, 0600);
  MUST(fd >= 0 && ftruncate(fd, MIB / 2) == 0 && unlink("on disk") == 0);
  char* disk = mmap(NULL, MIB / 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(disk != MAP_FAILED);
  victim_fill(disk, MIB / 2, 7);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK_EQ(victim_compare(at[0], 16 * MIB, 0), -1);
    at[0][5] = 55, at[1][5] = 56, at[2][5] = 57, disk[5] = 58;
    victim_child_done();
  }

  victim_ready();

  for (int i = 0; i < 2; i++) CHECK_EQ(victim_compare(at[i], 16 * MIB, (uint64_t)i), -1);
  CHECK_EQ(victim_compare(at[2] + (1ul << 35), MIB, 2), -1);
  CHECK_EQ(victim_compare(disk, MIB / 2, 7), -1);
  victim_join(child);
  CHECK(at[0][5] == 55 && at[1][5] == 56 && at[2][5] == 57 && disk[5] == 58);
  snprintf(name, sizeof name, "/nsr-large-%d-1", (int)getpid());
  shm_unlink(name);
  return victim_done();
}
