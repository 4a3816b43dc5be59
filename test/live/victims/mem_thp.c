// Transparent huge pages come back as huge pages, small pages as small ones, with and without MADV_HUGEPAGE.
#include "victim.h"

enum { HUGE_SIZE = 2 << 20, PAGE = 4096 };

static long huge_kib(char* at) {
  FILE* f = fopen("/proc/self/smaps", "r");
  char line[512];
  long kib = -1;
  int here = 0;
  while (kib < 0 && fgets(line, sizeof line, f)) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') - line > 6)
      here = start <= (unsigned long)at && end > (unsigned long)at;
    else if (here)
      sscanf(line, "AnonHugePages: %ld", &kib);
  }
  fclose(f);
  return kib;
}

// What the kernel has done by itself since it runs: merged small pages into huge ones (khugepaged), had no huge page to
// give, split one. Where this moves, numbers of huge pages say nothing about the restore.
static long own_doings(void) {
  static const char* const failures[] = {"thp_fault_fallback", "thp_fault_fallback_charge", "thp_collapse_alloc_failed",
                                         "thp_split_page"};
  long sum = 0, value;
  FILE* f = fopen("/sys/kernel/mm/transparent_hugepage/khugepaged/pages_collapsed", "r");
  MUST(f && fscanf(f, "%ld", &sum) == 1);
  fclose(f);
  f = fopen("/proc/vmstat", "r");
  MUST(f);
  char name[64];
  while (fscanf(f, "%63s %ld", name, &value) == 2)
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
      if (!strcmp(name, failures[i])) sum += value;
  fclose(f);
  return sum;
}

static char* map(uintptr_t at, int size) {
  char* p = mmap((void*)at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(p != MAP_FAILED);
  return p;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* advised = map(0x310000000000, 4 * HUGE_SIZE);
  MUST(madvise(advised, 4 * HUGE_SIZE, MADV_HUGEPAGE) == 0);
  victim_fill(advised, 2 * HUGE_SIZE, 1);
  if (huge_kib(advised) != 4096) victim_skip("no transparent huge pages");
  char* sparse = map(0x311000000000, 4 * HUGE_SIZE);  // small pages, then advice
  for (int i = 0; i < 100; i++) victim_fill(sparse + i * 20 * PAGE, PAGE, (uint64_t)i);
  MUST(madvise(sparse, 4 * HUGE_SIZE, MADV_HUGEPAGE) == 0);
  char* collapsed = map(0x312000000000, 2 * HUGE_SIZE);
  victim_fill(collapsed, 2 * HUGE_SIZE, 2);
  int have = madvise(collapsed, HUGE_SIZE, 25) == 0;
  long doings = own_doings();
  long before[] = {huge_kib(advised), huge_kib(sparse), huge_kib(collapsed)};

  victim_ready();

  long after[] = {huge_kib(advised), huge_kib(sparse), huge_kib(collapsed)};
  if (own_doings() == doings) {
    CHECK_EQ(after[0], before[0]);
    CHECK_EQ(after[1], before[1]);
    if (have) CHECK_EQ(after[2], before[2]);
  }
  CHECK_EQ(victim_compare(advised, 2 * HUGE_SIZE, 1), -1);
  for (int i = 0; i < 100; i++) CHECK_EQ(victim_compare(sparse + i * 20 * PAGE, PAGE, (uint64_t)i), -1);
  CHECK_EQ(victim_compare(collapsed, 2 * HUGE_SIZE, 2), -1);
  return victim_done();
}
