// Occupies process ids: reads numbers from stdin up to an empty line, creates one sleeping process under each (clone3
// with set_tid, Linux 5.5), answers "occupied N", and holds them until stdin ends. An id that is in use already counts.
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  static pid_t made[100000];
  char line[64];
  int count = 0, total = 0;
  while (fgets(line, sizeof line, stdin) && line[0] != '\n' && count < 100000) {
    pid_t wanted = atoi(line);
    struct clone_args args = {0};
    args.exit_signal = SIGCHLD;
    args.set_tid = (uintptr_t)&wanted;
    args.set_tid_size = 1;
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() == 1) _exit(1);
      for (;;) pause();
    }
    if (pid < 0 && errno != EEXIST) {
      printf("cannot occupy %d: %s\n", wanted, strerror(errno));
      return 1;
    }
    if (pid > 0) made[count++] = (pid_t)pid;
    total++;
  }
  printf("occupied %d\n", total);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
  }
  for (int i = 0; i < count; i++) kill(made[i], SIGKILL);
  for (int i = 0; i < count; i++) waitpid(made[i], NULL, 0);
  return 0;
}
