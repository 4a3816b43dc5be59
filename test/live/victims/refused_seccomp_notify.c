// A seccomp filter that hands system calls to a supervisor, whose descriptor nobody could make again.
// flavours: refused
// refused: (?s).*(supervisor|seccomp notify)
#include "seccomp.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  int supervisor = filter_install(SYS_getppid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (supervisor < 0) victim_skip("no supervised filters here");
  victim_ready();
  return victim_done();
}
