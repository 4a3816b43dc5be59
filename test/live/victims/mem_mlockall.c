// mlockall(MCL_CURRENT | MCL_FUTURE): memory mapped later is locked, too.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
  char* a = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(a != MAP_FAILED);
  victim_fill(a, 1 << 20, 1);
  long before = victim_status("/proc/self/status", "VmLck", 10);

  victim_ready();

  CHECK_EQ(victim_status("/proc/self/status", "VmLck", 10), before);
  CHECK_EQ(victim_compare(a, 1 << 20, 1), -1);
  char* b = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(b != MAP_FAILED);
  CHECK_EQ(victim_status("/proc/self/status", "VmLck", 10), before + 1024);
  return victim_done();
}
