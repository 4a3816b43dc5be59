// A child that is the init of a pid namespace of its own, inside the tree: refused, and it goes on.
// flavours: refused
// leaders: any
// refused: pid \d+: it lives in another pid namespace than the root task
#include <sched.h>

#include "victim.h"

static char stack[65536] __attribute__((aligned(16)));

static int init(void* unused) {
  (void)unused;
  victim_wait();
  _exit(getpid() == 1 ? 7 : 1);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child = clone(init, stack + sizeof stack, CLONE_NEWPID | SIGCHLD, NULL);
  MUST(child > 0);
  victim_ready();
  int status = 0;
  victim_go(child);
  CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7, "0x%x", status);
  return victim_done();
}
