// Children made with all kinds of clone(2) flags: no exit signal, others than SIGCHLD, and each sharing alone.
#include <sched.h>

#include "victim.h"

static const int flags[] = {0,
                            SIGUSR1,
                            CLONE_FS | SIGCHLD,
                            CLONE_FILES | SIGCHLD,
                            CLONE_VM | CLONE_SIGHAND | SIGUSR1,
                            CLONE_VM | CLONE_FILES | CLONE_FS};
enum { CHILDREN = sizeof flags / sizeof flags[0] };
static char stacks[CHILDREN][65536] __attribute__((aligned(16)));

static int run(void* unused) {
  (void)unused;
  victim_wait();
  _exit(3);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  signal(SIGUSR1, SIG_IGN);
  pid_t child[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) {
    child[i] = clone(run, stacks[i] + sizeof stacks[i], flags[i], NULL);
    MUST(child[i] > 0);
  }
  victim_ready();
  for (int i = 0; i < CHILDREN; i++) {
    int status = 0, options = (flags[i] & CSIGNAL) == SIGCHLD ? 0 : __WCLONE;
    CHECK(waitpid(child[i], &status, WNOHANG | options) == 0, "child %d", i);
    victim_go(child[i]);
    CHECK(waitpid(child[i], &status, options) == child[i] && WEXITSTATUS(status) == 3, "child %d 0x%x", i, status);
  }
  return victim_done();
}
