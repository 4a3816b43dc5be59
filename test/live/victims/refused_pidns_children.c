// A task whose children would be born in another pid namespace (unshare(CLONE_NEWPID)): refused, and it goes on.
// flavours: refused
// refused: pid \d+: its children would be born in another pid namespace
#include <sched.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(unshare(CLONE_NEWPID) == 0);
  victim_ready();
  pid_t child = fork();
  if (child == 0) _exit(getpid() == 1 ? 7 : 1);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7, "0x%x", status);
  return victim_done();
}
