// Zombies keep their exit codes and signals, and are still to be waited for.
#include <sys/resource.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct rlimit none = {0, 0};
  MUST(setrlimit(RLIMIT_CORE, &none) == 0);
  pid_t exited = fork();
  if (exited == 0) _exit(7);
  pid_t zero = fork();
  if (zero == 0) _exit(0);
  pid_t killed = fork();
  if (killed == 0) {
    for (;;) pause();
  }
  MUST(kill(killed, SIGKILL) == 0);
  pid_t terminated = fork();
  if (terminated == 0) {
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
    _exit(1);
  }
  pid_t grouped = fork();
  if (grouped == 0) {
    setpgid(0, 0);
    _exit(255);
  }
  pid_t all[] = {exited, zero, killed, terminated, grouped};
  siginfo_t info;
  for (int i = 0; i < 5; i++) MUST(waitid(P_PID, all[i], &info, WEXITED | WNOWAIT) == 0);

  victim_ready();

  static const int codes[] = {CLD_EXITED, CLD_EXITED, CLD_KILLED, CLD_KILLED, CLD_EXITED};
  static const int statuses[] = {7, 0, SIGKILL, SIGTERM, 255};
  for (int i = 0; i < 5; i++) {
    memset(&info, 0, sizeof info);
    CHECK(waitid(P_PID, all[i], &info, WEXITED | WNOHANG) == 0, "zombie %d", i);
    CHECK_EQ(info.si_pid, all[i]);
    CHECK_EQ(info.si_code, codes[i]);
    CHECK_EQ(info.si_status, statuses[i]);
  }
  CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
  return victim_done();
}
