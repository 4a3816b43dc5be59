// A process that stopped itself inside the handler of another stop signal goes on there.
#include "victim.h"

static volatile int entered, left;

static void stop(int signal) {
  (void)signal;
  entered++;
  raise(SIGSTOP);
  left++;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    signal(SIGTSTP, stop);
    raise(SIGTSTP);
    CHECK_EQ(entered, 1);
    CHECK_EQ(left, 1);
    victim_wait();
    victim_child_done();
  }
  siginfo_t info;
  MUST(waitid(P_PID, child, &info, WSTOPPED) == 0);
  victim_ready();
  CHECK(kill(child, SIGCONT) == 0);
  victim_join(child);
  return victim_done();
}
