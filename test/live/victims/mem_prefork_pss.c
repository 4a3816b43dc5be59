// A server of 64 processes with 256 MiB of common memory from before the fork: what the family needs (PSS) is within
// 2 per cent of what it was, and each process goes on with its own copies.
// timeout: 90
#include "victim.h"

enum { CHILDREN = 64, COMMON = 256 << 20, OWN = 64 << 10, PAGE = 4096 };

static long pss_kib(pid_t pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  FILE* f = fopen(path, "r");
  MUST(f);
  long kib = -1;
  while (kib < 0 && fgets(line, sizeof line, f)) sscanf(line, "Pss_Anon: %ld", &kib);
  fclose(f);
  return kib;
}

static long pss_of_family(const pid_t* child) {
  long sum = pss_kib(getpid());
  for (int i = 0; i < CHILDREN; i++) sum += pss_kib(child[i]);
  return sum;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const char* available = strstr(victim_slurp("/proc/meminfo"), "MemAvailable:");
  if (available && atol(available + 13) < 1 << 20) victim_skip("less than 1 GiB of memory to be had");
  atomic_int* written = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char* common = mmap(NULL, COMMON, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(common != MAP_FAILED && madvise(common, COMMON, MADV_NOHUGEPAGE) == 0);
  victim_fill(common, COMMON, 1);
  pid_t child[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) {
    child[i] = fork();
    if (child[i] != 0) continue;
    char* own = common + i * OWN;
    victim_fill(own, OWN, 100u + (uint64_t)i);
    (*written)++;
    victim_wait();
    CHECK_EQ(victim_compare(own, OWN, 100u + (uint64_t)i), -1);
    memset(own, 0, OWN);
    victim_child_done();
  }
  while (*written != CHILDREN) sched_yield();
  long before = pss_of_family(child);
  if (before < 0) victim_skip("this kernel does not tell Pss_Anon");

  victim_ready();

  long after = pss_of_family(child);
  CHECK(after >= before - before / 50 && after <= before + before / 50, "PSS was %ld KiB, is %ld KiB", before, after);
  CHECK_EQ(victim_compare(common, COMMON, 1), -1);
  for (int i = 0; i < CHILDREN; i++) victim_join(child[i]);
  return victim_done();
}
