// Zombies of other users: wait(2) tells the user, /proc its groups and capabilities.
#include <grp.h>

#include "victim.h"

enum { ZOMBIES = 3 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t zombie[ZOMBIES];
  siginfo_t info;
  for (int i = 0; i < ZOMBIES; i++) {
    zombie[i] = fork();
    if (zombie[i] == 0) {
      const gid_t groups[] = {2001, 2002 + i};
      MUST(setgroups(2, groups) == 0 && setresgid(1011, 1012, 1013) == 0);
      if (i) MUST(setresuid(1000 + i, 1002, 1003) == 0);
      if (i == 2) raise(SIGKILL);
      _exit(5);
    }
    MUST(waitid(P_PID, zombie[i], &info, WEXITED | WNOWAIT) == 0);
  }

  victim_ready();

  for (int i = 0; i < ZOMBIES; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", zombie[i]);
    CHECK_EQ(victim_status(path, "Uid", 10), i ? 1000 + i : 0);
    CHECK_EQ(victim_status(path, "Gid", 10), 1011);
    CHECK_EQ(victim_status(path, "CapEff", 16) == 0, i > 0);
    CHECK_EQ(victim_status(path, "Groups", 10), 2001);
    memset(&info, 0, sizeof info);
    CHECK(waitid(P_PID, zombie[i], &info, WEXITED | WNOHANG) == 0);
    CHECK_EQ(info.si_uid, i ? 1000 + i : 0);
    CHECK_EQ(info.si_code, i == 2 ? CLD_KILLED : CLD_EXITED);
  }
  return victim_done();
}
