// A child subreaper gets the orphans of its tree after the restore, and parent-death signals arrive.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int ends[2];
  MUST(pipe(ends) == 0);
  pid_t middle = fork();
  if (middle == 0) {
    pid_t self = getpid(), orphan = fork();
    if (orphan == 0) {
      MUST(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      sigprocmask(SIG_BLOCK, &set, NULL);
      MUST(getppid() == self);
      victim_wait();
      struct timespec limit = {5, 0};
      int got;
      while ((got = sigtimedwait(&set, NULL, &limit)) == -1 && errno == EINTR) {
      }
      _exit(got == SIGUSR1 ? 41 : 1);
    }
    MUST(write(ends[1], &orphan, sizeof orphan) == sizeof orphan);
    victim_wait();
    victim_go(orphan);
    _exit(40);
  }
  pid_t orphan = 0;
  MUST(read(ends[0], &orphan, sizeof orphan) == sizeof orphan);
  victim_ready();
  victim_go(middle);
  int status = 0;
  CHECK(waitpid(middle, &status, 0) == middle && WEXITSTATUS(status) == 40);
  CHECK(waitpid(orphan, &status, 0) == orphan && WEXITSTATUS(status) == 41, "orphan: 0x%x", status);
  return victim_done();
}
