// pause ends only by a signal handler, not by the restore.
#include "blocked.h"
#define CALL_NR SYS_pause
static volatile sig_atomic_t handled;

static void handler(int signal) { handled = signal; }

static void prepare(void) {
  struct sigaction action = {0};
  action.sa_handler = handler;
  MUST(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void call(void) {
  CHECK_EQ(syscall(SYS_pause), -1);
  CHECK_EQ(errno, EINTR);
  CHECK_EQ(handled, SIGUSR1);
}

static void wake(void) { CHECK(syscall(SYS_tgkill, getpid(), blocked_tid, SIGUSR1) == 0); }

BLOCKED_MAIN_WAKE
