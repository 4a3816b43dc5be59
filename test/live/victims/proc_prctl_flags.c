// Settings with flags: PR_SET_THP_DISABLE that leaves advised memory alone (6.18), the mode in which POSIX timers get
// chosen ids (6.15), PR_SET_MDWE that children do not inherit.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  bool flags = prctl(PR_SET_THP_DISABLE, 1, 2 /* PR_THP_DISABLE_EXCEPT_ADVISED */, 0, 0) == 0;
  bool ids = prctl(77, 1, 0, 0, 0) == 0;
  pid_t child = fork();
  if (child == 0) {
    bool mdwe = prctl(65, 3, 0, 0, 0) == 0;
    victim_wait();
    if (mdwe) CHECK_EQ(prctl(66, 0, 0, 0, 0), 3);
    if (flags) CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 3);
    victim_child_done();
  }
  victim_ready();
  if (flags) CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 3);
  if (ids) CHECK_EQ(prctl(77, 2, 0, 0, 0), 1);
  victim_join(child);
  return victim_done();
}
