// Seccomp strict mode: only read, write, exit and sigreturn; a child lives in it, blocked in read.
// leaders: any
#include "seccomp.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int down[2], up[2];
  MUST(pipe(down) == 0 && pipe(up) == 0);
  pid_t child[2];
  for (int i = 0; i < 2; i++) {
    child[i] = fork();
    if (child[i] == 0) {
      char c = 0;
      MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
      if (write(up[1], "r", 1) != 1) syscall(SYS_exit, 5);
      if (read(down[0], &c, 1) != 1) syscall(SYS_exit, 6);
      if (c == 'k') syscall(SYS_getpid);  // must be the end
      syscall(SYS_exit, c == 'e' ? 7 : 8);
    }
  }
  char c;
  for (int i = 0; i < 2; i++) MUST(read(up[0], &c, 1) == 1);
  victim_ready();
  CHECK_EQ(write(down[1], "ek", 2), 2);
  int status, exited = 0, killed = 0;
  for (int i = 0; i < 2; i++) {
    CHECK(wait(&status) > 0);
    exited += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }
  CHECK_EQ(exited, 1);
  CHECK_EQ(killed, 1);
  return victim_done();
}
