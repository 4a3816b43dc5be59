// Speculation controls of a thread (store bypass, indirect branches).
#include <linux/prctl.h>

#include "victim.h"

int main(int argc, char** argv) {
  static const int kinds[] = {PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH};
  victim_init(argc, argv);
  int before[2], set = 0;
  for (int i = 0; i < 2; i++) {
    set += prctl(PR_SET_SPECULATION_CTRL, kinds[i], PR_SPEC_DISABLE, 0, 0) == 0;
    before[i] = prctl(PR_GET_SPECULATION_CTRL, kinds[i], 0, 0, 0);
  }
  if (!set) victim_skip("no speculation control can be set per task here");
  victim_ready();
  for (int i = 0; i < 2; i++) CHECK_EQ(prctl(PR_GET_SPECULATION_CTRL, kinds[i], 0, 0, 0), before[i]);
  return victim_done();
}
