// A huge page of 1 GiB, private anonymous.
// timeout: 90
// lock: hugepages
// flavours: host ns
#include <linux/mman.h>

#include "huge_pool.h"

enum { GIGA = 1 << 30 };
static const char kPool[] = "1048576kB";

int main(int argc, char** argv) {
  victim_init(argc, argv);
  long had = huge_pool_grow(kPool, 1);
  char* m = mmap(NULL, GIGA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
  MUST(m != MAP_FAILED);
  victim_fill(m + (300 << 20), 1 << 20, 1);

  victim_ready();

  CHECK_EQ(victim_compare(m + (300 << 20), 1 << 20, 1), -1);
  CHECK(m[0] == 0 && m[GIGA - 1] == 0);
  CHECK(strstr(victim_slurp("/proc/self/status"), "HugetlbPages:\t 1048576 kB") != NULL);
  munmap(m, GIGA);
  huge_pool(kPool, had);
  return victim_done();
}
