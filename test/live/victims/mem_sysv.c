// SysV shared memory on the plain host: private and keyed segments, one removed already, attached read-only and twice,
// a part protected, a part unmapped, shared with a child. Number, key, owner, mode and content stay.
#include <sys/shm.h>

#include "victim.h"

enum { PAGE = 4096 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  key_t key = 0x6e730000 + getpid();
  int keyed = shmget(key, 16 * PAGE, IPC_CREAT | IPC_EXCL | 0640);
  int removed = shmget(IPC_PRIVATE, 5 * PAGE + 100, IPC_CREAT | 0600);
  MUST(keyed >= 0 && removed >= 0);
  char* a = shmat(keyed, NULL, 0);
  char* b = shmat(keyed, NULL, SHM_RDONLY);
  char* r = shmat(removed, NULL, 0);
  MUST(a != (void*)-1 && b != (void*)-1 && r != (void*)-1);
  MUST(shmctl(removed, IPC_RMID, NULL) == 0);
  victim_fill(a, 3 * PAGE, 1);
  victim_fill(a + 15 * PAGE, PAGE, 2);
  victim_fill(r, 5 * PAGE, 3);
  MUST(mprotect(a + 4 * PAGE, PAGE, PROT_READ) == 0);
  MUST(munmap(b + 8 * PAGE, 8 * PAGE) == 0);
  struct shmid_ds before, now;
  MUST(shmctl(keyed, IPC_STAT, &before) == 0);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK_EQ(a[5 * PAGE], 99);
    CHECK_EQ(victim_compare(r, 5 * PAGE, 3), -1);
    victim_child_done();
  }

  victim_ready();

  CHECK_EQ(victim_compare(a, 3 * PAGE, 1), -1);
  CHECK_EQ(victim_compare(b, 3 * PAGE, 1), -1);
  CHECK_EQ(victim_compare(a + 15 * PAGE, PAGE, 2), -1);
  CHECK_EQ(victim_compare(r, 5 * PAGE, 3), -1);
  a[5 * PAGE] = 99;
  CHECK_EQ(b[5 * PAGE], 99);
  CHECK(shmctl(keyed, IPC_STAT, &now) == 0);
  CHECK_EQ(now.shm_perm.__key, key);
  CHECK_EQ(now.shm_perm.mode, before.shm_perm.mode);
  CHECK_EQ(now.shm_segsz, before.shm_segsz);
  CHECK(shmctl(removed, IPC_STAT, &now) == 0 && (now.shm_perm.mode & SHM_DEST), "the removed segment is not to vanish");
  victim_join(child);
  CHECK(shmdt(r) == 0);
  CHECK(shmctl(removed, IPC_STAT, &now) != 0, "the removed segment did not vanish");
  CHECK(shmctl(keyed, IPC_RMID, NULL) == 0);
  return victim_done();
}
