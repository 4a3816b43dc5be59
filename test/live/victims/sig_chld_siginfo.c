// SIGCHLD and timer signals that are pending carry their own kinds of siginfo; a fault's siginfo is still in its
// handler.
#include <setjmp.h>

#include "victim.h"

static volatile uintptr_t fault_address;

static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  fault_address = (uintptr_t)info->si_addr;
  victim_ready();  // dumped inside the handler of a fault
  CHECK((uintptr_t)info->si_addr == fault_address);
  CHECK_EQ(info->si_code, SEGV_ACCERR);
  mprotect((void*)(fault_address & ~4095ul), 4096, PROT_READ | PROT_WRITE);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sigaction action = {0};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  MUST(sigaction(SIGSEGV, &action, NULL) == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  pid_t child = fork();
  if (child == 0) _exit(13);
  siginfo_t info;
  MUST(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
  volatile char* page = (volatile char*)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[123] = 7;  // faults; goes through after the handler
  CHECK_EQ(page[123], 7);
  CHECK_EQ(fault_address, (uintptr_t)page + 123);
  struct timespec none = {0, 0};
  memset(&info, 0, sizeof info);
  CHECK_EQ(sigtimedwait(&set, &info, &none), SIGCHLD);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_status, 13);
  CHECK_EQ(info.si_code, CLD_EXITED);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 13);
  return victim_done();
}
