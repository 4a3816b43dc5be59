// SysV shared memory, more states: locked by SHM_LOCK, without reserve, attached at addresses of the program's choice,
// in place of other memory (SHM_REMAP), next to itself, created and never attached (stays on the host), a size of no
// whole page; attached again after the restore, by id and by key.
#include <sys/shm.h>

#include "victim.h"

enum { PAGE = 4096, N = 8 };

static char* attach(int id, char* where, int flags) {
  char* at = shmat(id, where, flags);
  MUST(at != (void*)-1);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  key_t key = 0x6e740000 + getpid();
  int locked = shmget(IPC_PRIVATE, N * PAGE, IPC_CREAT | 0600),
      keyed = shmget(key, N * PAGE + 1, IPC_CREAT | IPC_EXCL | 0606 | SHM_NORESERVE),
      alone = shmget(key + 0x10000, PAGE, IPC_CREAT | IPC_EXCL | 0600),
      large = shmget(IPC_PRIVATE, 1ul << 34, IPC_CREAT | SHM_NORESERVE | 0600);
  MUST(locked >= 0 && keyed >= 0 && alone >= 0 && large >= 0);
  bool is_locked = shmctl(locked, SHM_LOCK, NULL) == 0;
  char* a = attach(locked, NULL, 0);
  char* chosen = attach(keyed, (char*)0x330000000000, 0);
  char* rounded = attach(keyed, (char*)0x330000100123, SHM_RND);
  char* room = mmap(NULL, 3 * N * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(room != MAP_FAILED);
  char* twice[2] = {attach(locked, room, SHM_REMAP), attach(locked, room + N * PAGE, SHM_REMAP)};
  char* sparse = attach(large, NULL, 0);
  MUST(rounded == (char*)0x330000100000);
  victim_fill(a, N * PAGE, 1);
  victim_fill(chosen, N * PAGE, 2);
  victim_fill(sparse + (1ul << 33), PAGE, 3);
  MUST(shmctl(locked, IPC_RMID, NULL) == 0 && shmctl(large, IPC_RMID, NULL) == 0);
  char* first = attach(alone, NULL, 0);
  strcpy(first, "stays");
  MUST(shmdt(first) == 0);
  struct shmid_ds ds;

  victim_ready();

  CHECK(shmctl(locked, IPC_STAT, &ds) == 0 && (ds.shm_perm.mode & SHM_LOCKED ? true : false) == is_locked &&
        ds.shm_nattch == 3);
  CHECK_EQ(victim_compare(a, N * PAGE, 1), -1);
  CHECK_EQ(victim_compare(twice[0], N * PAGE, 1), -1);
  CHECK_EQ(victim_compare(twice[1], N * PAGE, 1), -1);
  CHECK_EQ(victim_compare(chosen, N * PAGE, 2), -1);
  CHECK_EQ(victim_compare(rounded, N * PAGE, 2), -1);
  CHECK_EQ(victim_compare(sparse + (1ul << 33), PAGE, 3), -1);
  twice[1][0] = 5;
  CHECK(a[0] == 5 && twice[0][0] == 5);
  CHECK(shmget(key, 0, 0) == keyed && shmctl(keyed, IPC_STAT, &ds) == 0 && ds.shm_segsz == N * PAGE + 1 &&
        (ds.shm_perm.mode & 0777) == 0606);
  char* again = attach(shmget(key, 0, 0), NULL, 0);
  CHECK_EQ(victim_compare(again, N * PAGE, 2), -1);
  again[PAGE] = 7;
  CHECK_EQ(chosen[PAGE], 7);
  CHECK(shmdt(again) == 0 && shmdt(chosen) == 0 && shmdt(rounded) == 0 && shmctl(keyed, IPC_RMID, NULL) == 0 &&
        shmctl(keyed, IPC_STAT, &ds) != 0);
  char* other = shmat(alone, NULL, SHM_RDONLY);
  CHECK(other != (void*)-1 && strcmp(other, "stays") == 0);
  shmctl(alone, IPC_RMID, NULL);
  CHECK(shmdt(sparse) == 0 && shmctl(large, IPC_STAT, &ds) != 0);
  return victim_done();
}
