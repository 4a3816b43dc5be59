// wait4 for a child that ends after the restore.
#include "blocked.h"
#define CALL_NR SYS_wait4
static pid_t child;

static void prepare(void) {
  child = fork();
  if (child == 0) {
    victim_wait();
    _exit(23);
  }
}

static void call(void) {
  int status = 0;
  CHECK_EQ(wait4(child, &status, 0, NULL), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 23, "0x%x", status);
}

static void wake(void) { victim_go(child); }

BLOCKED_MAIN_WAKE
