// Dumped inside a signal handler that runs on the alternate stack, itself interrupted by a second handler.
#include "victim.h"

static char stack[131072] __attribute__((aligned(16)));
static volatile int depth, returned;
static volatile double value = 1.5;

static void inner(int signal, siginfo_t* info, void* context) {
  (void)context;
  stack_t now;
  char here;
  depth = 2;
  victim_ready();
  CHECK_EQ(signal, SIGUSR2);
  CHECK_EQ(info->si_value.sival_int, 808);
  CHECK(sigaltstack(NULL, &now) == 0);
  CHECK_EQ(now.ss_flags, SS_ONSTACK);
  CHECK(now.ss_sp == stack && now.ss_size == sizeof stack);
  CHECK(&here >= stack && &here < stack + sizeof stack);
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  CHECK(sigismember(&mask, SIGUSR1) == 1);
  CHECK(sigismember(&mask, SIGUSR2) == 1);
  CHECK(sigismember(&mask, SIGWINCH) == 1);
}

static void outer(int signal) {
  double mine = value * 3;
  depth = 1;
  sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 808});
  CHECK_EQ(signal, SIGUSR1);
  CHECK_EQ(depth, 2);
  CHECK(mine == 4.5);
  returned = 1;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  stack_t set = {.ss_sp = stack, .ss_size = sizeof stack};
  MUST(sigaltstack(&set, NULL) == 0);
  struct sigaction action = {0};
  action.sa_handler = outer;
  action.sa_flags = SA_ONSTACK;
  MUST(sigaction(SIGUSR1, &action, NULL) == 0);
  action.sa_sigaction = inner;
  action.sa_flags = SA_ONSTACK | SA_SIGINFO;
  sigaddset(&action.sa_mask, SIGWINCH);
  MUST(sigaction(SIGUSR2, &action, NULL) == 0);
  double across = value + 0.25;
  raise(SIGUSR1);
  CHECK_EQ(returned, 1);
  CHECK(across == 1.75);
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  CHECK(sigismember(&mask, SIGUSR1) == 0);
  CHECK(sigismember(&mask, SIGWINCH) == 0);
  CHECK(sigismember(&mask, VICTIM_GO) == 1);
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0);
  CHECK_EQ(now.ss_flags, 0);
  return victim_done();
}
