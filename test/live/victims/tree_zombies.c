// Zombies keep their exit codes, signals and users, and are still to be waited for.
#include <grp.h>
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
  pid_t of_user = fork();
  if (of_user == 0) {
    static const gid_t groups[] = {2001, 2002};
    MUST(setgroups(2, groups) == 0 && setresgid(1011, 1012, 1013) == 0 && setresuid(1001, 1002, 1003) == 0);
    _exit(5);
  }
  pid_t all[] = {exited, zero, killed, terminated, grouped, of_user};
  siginfo_t info;
  for (int i = 0; i < 6; i++) MUST(waitid(P_PID, all[i], &info, WEXITED | WNOWAIT) == 0);

  victim_ready();

  static const int codes[] = {CLD_EXITED, CLD_EXITED, CLD_KILLED, CLD_KILLED, CLD_EXITED, CLD_EXITED};
  static const int statuses[] = {7, 0, SIGKILL, SIGTERM, 255, 5};
  for (int i = 0; i < 6; i++) {
    memset(&info, 0, sizeof info);
    CHECK(waitid(P_PID, all[i], &info, WEXITED | WNOHANG) == 0, "zombie %d", i);
    CHECK_EQ(info.si_pid, all[i]);
    CHECK_EQ(info.si_code, codes[i]);
    CHECK_EQ(info.si_status, statuses[i]);
    CHECK_EQ(info.si_uid, all[i] == of_user ? 1001 : 0);
  }
  CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
  return victim_done();
}
