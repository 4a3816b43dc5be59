// Processes (not threads) that share parts of their state: a raw clone with an own stack.
#ifndef NSR_TEST_LIVE_SHARE_H
#define NSR_TEST_LIVE_SHARE_H
#include <sched.h>

#include "victim.h"

VICTIM_UNUSED static pid_t share_clone(int (*run)(void*), void* argument, int flags) {
  enum { SIZE = 262144 };
  // between two guards: how the kernel merges it with its neighbours is none of the test's business
  enum { GUARD = 4096 };
  char* stack = (char*)mmap(NULL, SIZE + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(stack != MAP_FAILED);
  stack += GUARD;
  MUST(mprotect(stack, SIZE, PROT_READ | PROT_WRITE) == 0);
  pid_t pid = clone(run, stack + SIZE, flags | SIGCHLD, argument);
  MUST(pid > 0);
  return pid;
}

// kcmp(2) kinds: 0 file, 1 mm, 2 files, 3 fs, 4 sighand, 5 io, 6 sysvsem
VICTIM_UNUSED static bool share_same(pid_t a, pid_t b, int kind) { return syscall(SYS_kcmp, a, b, kind, 0, 0) == 0; }
#endif
