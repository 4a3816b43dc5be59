// Zombies of which wait(2) says that they dumped core, and one that could not: so it stays, and no core is made for it.
// One is of a user without rights.
#include <sys/resource.h>

#include "victim.h"

static bool core_in_directory(void) {
  // core_pattern may add the process id
  return system("ls | grep -q core") == 0;
}

static pid_t dies(rlim_t limit, int signal, uid_t user) {
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit core = {limit, limit};
    MUST(setrlimit(RLIMIT_CORE, &core) == 0);
    if (user) MUST(setresuid(user, user, user) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    raise(signal);
    _exit(1);
  }
  siginfo_t info;
  MUST(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
  return pid;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const char* pattern = victim_slurp("/proc/sys/kernel/core_pattern");
  if (*pattern == '|' || *pattern == '@') victim_skip("cores go to a program here");
  pid_t dumped[2] = {dies(1 << 20, SIGSEGV, 0), dies(1 << 20, SIGQUIT, 1001)}, none = dies(0, SIGABRT, 0);
  MUST(system("rm -f *core*") == 0);
  siginfo_t info;
  for (int i = 0; i < 2; i++) {
    MUST(waitid(P_PID, dumped[i], &info, WEXITED | WNOWAIT) == 0);
    if (info.si_code != CLD_DUMPED) victim_skip("no core can be dumped here");
  }

  victim_ready();

  int status;
  CHECK(waitpid(dumped[0], &status, WNOHANG) == dumped[0] && status == (SIGSEGV | 0x80), "0x%x", status);
  CHECK(waitpid(dumped[1], &status, WNOHANG) == dumped[1] && status == (SIGQUIT | 0x80), "0x%x", status);
  CHECK(waitpid(none, &status, WNOHANG) == none && status == SIGABRT, "0x%x", status);
  CHECK(!core_in_directory(), "the restore left a core");
  return victim_done();
}
