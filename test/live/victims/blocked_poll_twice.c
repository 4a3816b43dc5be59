// A poll that had been interrupted before: its system call is restart_syscall when the dump comes.
#include "blocked.h"
#define CALL_NR SYS_restart_syscall

// Stops and continues the whole process by a helper, until the worker has been through a restart.
static void prepare(void) {}

static void call(void) {
  int wanted = 1500;
  pid_t self = getpid(), helper = fork();
  if (helper == 0) {
    char path[64];
    int asleep = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", self, (int)blocked_tid);
    while (!asleep) asleep = atoi(victim_slurp(path)) == SYS_poll;
    kill(self, SIGSTOP);
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", self, (int)blocked_tid);
    while (!strstr(victim_slurp(path), ") T")) sched_yield();
    kill(self, SIGCONT);
    _exit(0);
  }
  double start = victim_now(CLOCK_MONOTONIC);
  CHECK_EQ(syscall(SYS_poll, NULL, 0, wanted), 0);
  blocked_check_duration(start, 1.5);
  CHECK_EQ(waitpid(helper, NULL, 0), helper);
}

BLOCKED_MAIN_TIMEOUT
