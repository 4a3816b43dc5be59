// Children that were stopped and continued: that they go on, and what waitid(WCONTINUED) has still to tell.
#include "victim.h"

static siginfo_t report(pid_t child, int options) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  CHECK(waitid(P_PID, child, &info, options | WNOHANG) == 0);
  return info;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child[3];
  siginfo_t info;
  for (int i = 0; i < 3; i++) {
    child[i] = fork();
    if (child[i] == 0) {
      victim_wait();
      victim_child_done();
    }
    MUST(kill(child[i], SIGSTOP) == 0);
    MUST(waitid(P_PID, child[i], &info, WSTOPPED) == 0);
  }
  // 0: its report is still to be taken; 1: it was taken; 2: stopped once more, that report is to be taken
  for (int i = 0; i < 3; i++) {
    MUST(kill(child[i], SIGCONT) == 0);
    MUST(waitid(P_PID, child[i], &info, WCONTINUED | (i == 0 ? WNOWAIT : 0)) == 0);
  }
  MUST(kill(child[2], SIGSTOP) == 0);
  MUST(waitid(P_PID, child[2], &info, WSTOPPED | WNOWAIT) == 0);
  victim_ready();
  info = report(child[0], WCONTINUED);
  CHECK_EQ(info.si_pid, child[0]);
  CHECK_EQ(info.si_code, CLD_CONTINUED);
  CHECK_EQ(info.si_status, SIGCONT);
  CHECK_EQ(report(child[1], WCONTINUED | WSTOPPED).si_pid, 0);
  info = report(child[2], WCONTINUED | WSTOPPED);
  CHECK_EQ(info.si_pid, child[2]);
  CHECK_EQ(info.si_code, CLD_STOPPED);
  CHECK(kill(child[2], SIGCONT) == 0);
  for (int i = 0; i < 3; i++) victim_join(child[i]);
  return victim_done();
}
