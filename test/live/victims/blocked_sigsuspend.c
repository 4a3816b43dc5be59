// sigsuspend ends only by a signal it lets through; the old mask is back then.
#include "blocked.h"
#define CALL_NR SYS_rt_sigsuspend
static volatile sig_atomic_t handled;

static void handler(int signal) { handled = signal; }

static void prepare(void) {
  struct sigaction action = {0};
  action.sa_handler = handler;
  MUST(sigaction(SIGUSR1, &action, NULL) == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void call(void) {
  sigset_t inside, after;
  sigfillset(&inside);
  sigdelset(&inside, SIGUSR1);
  CHECK_EQ(sigsuspend(&inside), -1);
  CHECK_EQ(errno, EINTR);
  CHECK_EQ(handled, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  CHECK(sigismember(&after, SIGUSR1) == 1);
  CHECK(sigismember(&after, SIGUSR2) == 1);
  CHECK(sigismember(&after, SIGTERM) == 0);
}

static void wake(void) { CHECK(syscall(SYS_tgkill, getpid(), blocked_tid, SIGUSR1) == 0); }

BLOCKED_MAIN_WAKE
