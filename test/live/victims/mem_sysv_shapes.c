// SysV shared memory in all shapes: read-only at the only place, twice in one process, removed and attached, a hole
// unmapped, only the end left, a part moved elsewhere by mremap, kept by a child only, several keys and owners.
#include <sys/shm.h>

#include "victim.h"

enum { PAGE = 4096, N = 16 };

static int segment(int pages) {
  int id = shmget(IPC_PRIVATE, (size_t)pages * PAGE, IPC_CREAT | 0600);
  MUST(id >= 0);
  return id;
}

static char* attach(int id, int flags) {
  char* at = shmat(id, NULL, flags);
  MUST(at != (void*)-1);
  return at;
}

static int gone(int id) {
  struct shmid_ds ds;
  return shmctl(id, IPC_STAT, &ds) != 0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int id[7];
  char* at[7];
  for (int i = 0; i < 7; i++) {
    id[i] = segment(N);
    at[i] = attach(id[i], 0);
    victim_fill(at[i], N * PAGE, (uint64_t)i);
  }
  MUST(shmdt(at[0]) == 0);
  at[0] = attach(id[0], SHM_RDONLY);
  char* twice = attach(id[1], 0);
  MUST(munmap(at[2] + 4 * PAGE, 4 * PAGE) == 0);
  MUST(munmap(at[3], 12 * PAGE) == 0);
  char* executable = attach(id[4], SHM_EXEC);
  MUST(mprotect(at[4] + 2 * PAGE, PAGE, PROT_NONE) == 0);
  MUST(munmap(at[1] + PAGE, PAGE) == 0);
  struct shmid_ds ds;
  MUST(shmctl(id[4], IPC_STAT, &ds) == 0);
  ds.shm_perm.uid = 1234, ds.shm_perm.gid = 2345, ds.shm_perm.mode = 0664;
  MUST(shmctl(id[4], IPC_SET, &ds) == 0);
  atomic_int* board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 5; i++) MUST(i == 3 ? munmap(at[3] + 12 * PAGE, 4 * PAGE) == 0 : shmdt(at[i]) == 0);
    MUST(shmdt(twice) == 0 && shmdt(executable) == 0);
    atomic_fetch_add(board, 1);
    victim_wait();
    CHECK_EQ(victim_compare(at[5], N * PAGE, 5), -1);
    CHECK_EQ(at[6][0], 78);
    CHECK(shmdt(at[6]) == 0);
    victim_child_done();
  }
  while (*board != 1) sched_yield();
  MUST(shmdt(at[5]) == 0);
  for (int i = 0; i < 7; i++) MUST(shmctl(id[i], IPC_RMID, NULL) == 0);

  victim_ready();

  CHECK_EQ(victim_compare(at[0], N * PAGE, 0), -1);
  CHECK(mprotect(at[0], PAGE, PROT_READ | PROT_WRITE) != 0 && errno == EACCES, "read-only attachment may be written");
  CHECK_EQ(victim_compare(twice, N * PAGE, 1), -1);
  at[1][5 * PAGE] = 77;
  CHECK_EQ(twice[5 * PAGE], 77);
  CHECK_EQ(victim_compare(at[2], 4 * PAGE, 2), -1);
  CHECK(memcmp(at[3] + 12 * PAGE, at[3] + 12 * PAGE, PAGE) == 0);
  CHECK(mprotect(at[4] + 2 * PAGE, PAGE, PROT_READ) == 0);
  CHECK_EQ(victim_compare(at[4], N * PAGE, 4), -1);
  CHECK_EQ(victim_compare(executable, N * PAGE, 4), -1);
  CHECK(shmctl(id[4], IPC_STAT, &ds) == 0 && ds.shm_perm.uid == 1234 && ds.shm_perm.gid == 2345 &&
        (ds.shm_perm.mode & 0777) == 0664);
  at[6][0] = 78;
  victim_join(child);
  CHECK(gone(id[5]), "the child's segment did not go with it");
  CHECK(shmdt(at[1]) == 0 && !gone(id[1]) && shmdt(twice) == 0 && gone(id[1]));
  CHECK(shmdt(at[2]) == 0 && gone(id[2]));
  CHECK(munmap(at[3] + 12 * PAGE, 4 * PAGE) == 0 && gone(id[3]));
  CHECK(shmdt(at[6]) == 0 && gone(id[6]));
  CHECK(shmdt(at[0]) == 0 && gone(id[0]) && shmdt(at[4]) == 0 && shmdt(executable) == 0 && gone(id[4]));
  return victim_done();
}
