// Stopped children come back stopped, their stop is reported at most as before, and they go on when continued.
#include "victim.h"

int main(int argc, char** argv) {
  static const int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  victim_init(argc, argv);
  pid_t child[4];
  siginfo_t info;
  for (int i = 0; i < 4; i++) {
    child[i] = fork();
    if (child[i] == 0) {
      victim_wait();
      _exit(50 + i);
    }
    MUST(setpgid(child[i], child[i]) == 0);  // else its group is an orphaned one, and terminal stops do nothing
    MUST(kill(child[i], signals[i]) == 0);
    // the report of child 0 is taken now, the others' are left
    MUST(waitid(P_PID, child[i], &info, WSTOPPED | (i ? WNOWAIT : 0)) == 0 && info.si_status == signals[i]);
  }
  victim_ready();
  memset(&info, 0, sizeof info);
  CHECK(waitid(P_PID, child[0], &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == 0, "the stop is reported twice");
  for (int i = 1; i < 4; i++) {
    memset(&info, 0, sizeof info);
    CHECK(waitid(P_PID, child[i], &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == child[i], "child %d", i);
    CHECK_EQ(info.si_status, signals[i]);
  }
  for (int i = 0; i < 4; i++) {
    char path[64];
    int status = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", child[i]);
    CHECK(strstr(victim_slurp(path), ") T") != NULL, "child %d is not stopped", i);
    CHECK(kill(child[i], SIGCONT) == 0);
    victim_go(child[i]);
    CHECK(waitpid(child[i], &status, 0) == child[i] && WIFEXITED(status) && WEXITSTATUS(status) == 50 + i, "0x%x",
          status);
  }
  return victim_done();
}
