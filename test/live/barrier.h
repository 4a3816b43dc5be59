// A counter that a family of processes shares while it builds its state. It lives in a shared mapping of
// a file in DIR (a shared file mapping is state that must survive anyway; shared anonymous memory is another test's).
#ifndef NSR_TEST_LIVE_BARRIER_H
#define NSR_TEST_LIVE_BARRIER_H
#include <linux/futex.h>

#include "victim.h"

static struct barrier {
  atomic_int count;
  char padding[4092];
  char memory[61440];  // for the victim's own use
} * barrier;

VICTIM_UNUSED static void barrier_init(void) {
  char path[PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/barrier", victim_dir);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  MUST(fd >= 0);
  MUST(ftruncate(fd, sizeof *barrier) == 0);
  barrier = (struct barrier*)mmap(NULL, sizeof *barrier, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(barrier != MAP_FAILED);
  close(fd);
}

VICTIM_UNUSED static void* barrier_memory(void) { return barrier->memory; }

VICTIM_UNUSED static void barrier_add(void) {
  atomic_fetch_add(&barrier->count, 1);
  syscall(SYS_futex, &barrier->count, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

// Waits until the count has reached n.
VICTIM_UNUSED static void barrier_wait(int n) {
  for (int now; (now = barrier->count) < n;) syscall(SYS_futex, &barrier->count, FUTEX_WAIT, now, NULL, NULL, 0);
}

// Leaves the family: this process no longer has the mapping.
VICTIM_UNUSED static void barrier_free(void) {
  MUST(munmap(barrier, sizeof *barrier) == 0);
  barrier = NULL;
}
#endif
