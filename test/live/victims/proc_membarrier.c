// Registrations for membarrier(2): all of them, where the kernel tells (Linux 6.3), those of private commands
// elsewhere.
#include <linux/membarrier.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0) victim_skip("no membarrier");
  MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) == 0);
  enum { REGISTER_RSEQ = 1 << 8, GET_REGISTRATIONS = 1 << 9 };
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
  syscall(SYS_membarrier, REGISTER_RSEQ, 0, 0);
  long registered = syscall(SYS_membarrier, GET_REGISTRATIONS, 0, 0);
  victim_ready();
  if (registered > 0) CHECK_EQ(syscall(SYS_membarrier, GET_REGISTRATIONS, 0, 0), registered);
  CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
  CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) == 0);
  CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0);  // needs no registration
  return victim_done();
}
