// A filter that kills the process for every system call but the few that it needs itself: nothing of the dump or the
// restore may pass through it.
#include "seccomp.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static const unsigned allowed[] = {SYS_rt_sigtimedwait, SYS_openat,          SYS_write,  SYS_close,  SYS_exit_group,
                                     SYS_rt_sigreturn,    SYS_restart_syscall, SYS_getpid, SYS_gettid, SYS_newfstatat};
  enum { COUNT = sizeof allowed / sizeof allowed[0] };
  static struct sock_filter code[COUNT * 2 + 2];
  int n = 0;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < COUNT; i++) {
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
  victim_ready();
  return victim_done();
}
