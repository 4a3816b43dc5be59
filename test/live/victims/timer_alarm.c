// alarm(2) with the default action still ends a child when its time has come, not before.
// leaders: any
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  double start = victim_now(CLOCK_MONOTONIC);
  pid_t child = fork();
  if (child == 0) {
    alarm(1);
    for (;;) pause();
  }
  victim_ready();
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM, "0x%x", status);
  double took = victim_now(CLOCK_MONOTONIC) - start;
  CHECK(took >= 0.98 && took < 10, "alarm(1) came after %.3f s", took);
  return victim_done();
}
