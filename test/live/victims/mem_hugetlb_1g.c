// A huge page of 1 GiB, private anonymous.
// timeout: 60
// lock: hugepages
// flavours: host
#include <linux/mman.h>

#include "victim.h"

enum { GIGA = 1 << 30 };
static const char kPool[] = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages";

static long pool(long want) {
  char text[32];
  int fd = open(kPool, O_RDWR | O_CLOEXEC);
  if (fd < 0) return -1;
  if (want >= 0) MUST(write(fd, text, (size_t)snprintf(text, sizeof text, "%ld", want)) > 0);
  close(fd);
  return atol(victim_slurp(kPool));
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  long had = pool(-1);
  if (had < 0) victim_skip("this kernel has no huge pages of 1 GiB");
  if (pool(had + 1) < had + 1) {
    pool(had);
    victim_skip("no huge page of 1 GiB can be reserved");
  }
  char* m = mmap(NULL, GIGA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
  MUST(m != MAP_FAILED);
  victim_fill(m + (300 << 20), 1 << 20, 1);

  victim_ready();

  CHECK_EQ(victim_compare(m + (300 << 20), 1 << 20, 1), -1);
  CHECK(m[0] == 0 && m[GIGA - 1] == 0);
  CHECK(strstr(victim_slurp("/proc/self/status"), "HugetlbPages:\t 1048576 kB") != NULL);
  munmap(m, GIGA);
  pool(had);
  return victim_done();
}
