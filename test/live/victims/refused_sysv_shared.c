// A SysV segment of the plain host that somebody outside of the tree has attached, too: refused with its number and how
// many have it, since the other's memory cannot go with the tree.
// flavours: refused
// refused: pid \d+ SysV shared memory segment \d+: it is attached 2 times, 1 of them in this tree
#include <sys/shm.h>

#include "victim.h"

enum { PAGE = 4096 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int told[2], id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
  char *at = shmat(id, NULL, 0), ok = 0;
  MUST(id >= 0 && at != (void*)-1 && shmctl(id, IPC_RMID, NULL) == 0 && pipe(told) == 0);
  pid_t maker = fork();
  if (maker == 0) {
    if (fork()) _exit(0);
    // none of the tree's, as its maker is gone; the runner ends it
    setsid();
    strcpy(at, "other");
    if (write(told[1], "+", 1) != 1) _exit(1);
    close(told[0]), close(told[1]);
    for (;;) pause();
  }
  close(told[1]);
  MUST(waitpid(maker, NULL, 0) == maker && read(told[0], &ok, 1) == 1);
  close(told[0]);

  victim_ready();

  struct shmid_ds ds;
  CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2 && strcmp(at, "other") == 0);
  return victim_done();
}
