// waitid for any child.
#include "blocked.h"
#define CALL_NR SYS_waitid
static pid_t child;

static void prepare(void) {
  child = fork();
  if (child == 0) {
    victim_wait();
    _exit(24);
  }
}

static void call(void) {
  siginfo_t info = {0};
  CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED), 0);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_status, 24);
}

static void wake(void) { victim_go(child); }

BLOCKED_MAIN_WAKE
