// Syscall user dispatch: on, with the selector at "allow" while it is dumped; afterwards it still catches.
#include <sys/ucontext.h>

#include "victim.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static volatile char selector;
static volatile int caught;

static void on_sigsys(int signal, siginfo_t* info, void* context) {
  (void)signal;
  selector = 0;
  caught = info->si_syscall;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = 4711;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  MUST(sigaction(SIGSYS, &action, NULL) == 0);
  if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector) != 0)
    victim_skip("the kernel has no syscall user dispatch");
  victim_ready();
  selector = 1;
  long result = syscall(SYS_getppid);
  selector = 0;
  CHECK_EQ(caught, SYS_getppid);
  CHECK_EQ(result, 4711);
  return victim_done();
}
