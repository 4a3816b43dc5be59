// The host's pool of huge pages of hugetlbfs.
#ifndef NSR_TEST_LIVE_HUGE_POOL_H
#define NSR_TEST_LIVE_HUGE_POOL_H

#include "victim.h"

// Pages in the pool of this size ("2048kB"), after asking for `want` when that is not negative. -1: no such size.
VICTIM_UNUSED static long huge_pool(const char* size, long want) {
  char path[96], text[32];
  snprintf(path, sizeof path, "/sys/kernel/mm/hugepages/hugepages-%s/nr_hugepages", size);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return -1;
  if (want >= 0) MUST(write(fd, text, (size_t)snprintf(text, sizeof text, "%ld", want)) > 0);
  close(fd);
  return atol(victim_slurp(path));
}

// Makes the pool larger and returns what it was; the test is skipped where that cannot be.
VICTIM_UNUSED static long huge_pool_grow(const char* size, long more) {
  long had = huge_pool(size, -1);
  if (had < 0) victim_skip("this kernel has no huge pages of this size");
  if (huge_pool(size, had + more) < had + more) {
    huge_pool(size, had);
    victim_skip("no huge pages of this size can be reserved");
  }
  return had;
}

#endif
