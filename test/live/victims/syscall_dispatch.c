// Syscall user dispatch: on, with the selector at "allow" while it is dumped; afterwards it still catches.
#include <sys/ptrace.h>
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

static int kernel_tells(void) {
  uint64_t config[4];
  int status;
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    _exit(0);
  }
  MUST(child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status));
  long got = ptrace(0x4211, child, (void*)sizeof config, config);  // PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
  kill(child, SIGKILL);
  MUST(waitpid(child, &status, 0) == child);
  return got == 0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (!kernel_tells()) victim_skip("this kernel does not tell of it (Linux before 6.4)");
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
