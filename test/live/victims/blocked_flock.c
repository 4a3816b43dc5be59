// Waiting for a file lock that another process of the tree holds.
// engine: --file-locks
#include <sys/file.h>

#include "blocked.h"
#define CALL_NR SYS_flock
static int fd;
static pid_t holder;

static void prepare(void) {
  int ends[2];
  char c;
  MUST(pipe(ends) == 0);
  holder = fork();
  if (holder == 0) {
    int own = open("locked", O_RDWR | O_CREAT, 0600);
    MUST(own >= 0 && flock(own, LOCK_EX) == 0 && write(ends[1], "x", 1) == 1);
    close(ends[0]), close(ends[1]);
    victim_wait();
    _exit(flock(own, LOCK_UN) == 0 ? 0 : 1);
  }
  MUST(read(ends[0], &c, 1) == 1);
  close(ends[0]), close(ends[1]);
  fd = open("locked", O_RDWR);
  MUST(fd >= 0);
}

static void call(void) { CHECK_EQ(flock(fd, LOCK_EX), 0); }

static void wake(void) { victim_join(holder); }

BLOCKED_MAIN_WAKE
