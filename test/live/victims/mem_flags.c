// What a mapping can be told: advice, locks, names, guard regions, growsdown, noreserve, protections changed after
// pages came, neighbours that are two mappings for the kernel; VmFlags in smaps are the same before and after.
#include "victim.h"

enum { PAGE = 4096, N = 16 };
static char flags_before[200000];

static char* map(int protection, int flags) {
  static uintptr_t next = 0x310000000000;
  char* at = mmap((void*)next, N * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags, -1, 0);
  MUST(at != MAP_FAILED);
  next += 1 << 20;
  return at;
}

// Ranges and VmFlags of everything at our addresses.
static void read_flags(char* out, size_t size) {
  FILE* f = fopen("/proc/self/smaps", "r");
  char line[512];
  int ours = 0;
  size_t n = 0;
  while (fgets(line, sizeof line, f)) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') - line > 6) {
      ours = start >= 0x310000000000 && start < 0x320000000000;
      if (ours) n += snprintf(out + n, size - n, "%s", line);
    } else if (ours && (!strncmp(line, "VmFlags", 7) || !strncmp(line, "Locked", 6) || !strncmp(line, "Rss", 3) ||
                        !strncmp(line, "AnonHuge", 8))) {
      n += snprintf(out + n, size - n, "%s", line);
    }
  }
  fclose(f);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static const int advice[] = {MADV_DONTFORK,   MADV_WIPEONFORK, MADV_DONTDUMP,
                               MADV_NOHUGEPAGE, MADV_SEQUENTIAL, MADV_RANDOM};
  enum { ADVICES = sizeof advice / sizeof *advice };
  char *advised[ADVICES], *half[ADVICES];
  for (int i = 0; i < ADVICES; i++) {
    advised[i] = map(PROT_READ | PROT_WRITE, 0);
    half[i] = map(PROT_READ | PROT_WRITE, 0);
    victim_fill(advised[i], N * PAGE, (uint64_t)i);
    victim_fill(half[i], N * PAGE, (uint64_t)i + 100);
    MUST(madvise(advised[i], N * PAGE, advice[i]) == 0);
    MUST(madvise(half[i] + 4 * PAGE, 4 * PAGE, advice[i]) == 0);
  }
  char* noreserve = map(PROT_READ | PROT_WRITE, MAP_NORESERVE);
  victim_fill(noreserve, PAGE, 1);
  char* reserve_none = map(PROT_NONE, MAP_NORESERVE);
  MUST(mprotect(reserve_none + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
  victim_fill(reserve_none + PAGE, PAGE, 2);
  char* grows = map(PROT_READ | PROT_WRITE, MAP_GROWSDOWN);
  victim_fill(grows, PAGE, 3);
  char* readonly = map(PROT_READ | PROT_WRITE, 0);
  victim_fill(readonly, PAGE, 4);
  MUST(mprotect(readonly, N * PAGE, PROT_READ) == 0);
  char* untouched_readonly = map(PROT_READ | PROT_WRITE, 0);
  MUST(mprotect(untouched_readonly, N * PAGE, PROT_READ) == 0);
  char* locked = map(PROT_READ | PROT_WRITE, 0);
  victim_fill(locked, PAGE, 5);
  MUST(mlock(locked, 8 * PAGE) == 0);
  char* onfault = map(PROT_READ | PROT_WRITE, 0);
  victim_fill(onfault, PAGE, 6);
  MUST(syscall(SYS_mlock2, onfault, N * PAGE, 1) == 0);
  char* locked_none = map(PROT_NONE, 0);
  mlock(locked_none, N * PAGE);
  char* named = map(PROT_READ | PROT_WRITE, 0);
  prctl(0x53564d41, 0, named + 2 * PAGE, 4 * PAGE, "a name");
  victim_fill(named, N * PAGE, 7);
  // two neighbours, each with memory before they met
  char* left = map(PROT_READ | PROT_WRITE, 0);
  char* right = map(PROT_READ | PROT_WRITE, 0);
  victim_fill(left, N * PAGE, 8);
  victim_fill(right, N * PAGE, 9);
  MUST(mremap(right, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, left + N * PAGE) != MAP_FAILED);
  char* guarded = map(PROT_READ | PROT_WRITE, 0);
  victim_fill(guarded, N * PAGE, 10);
  int guards = madvise(guarded + 3 * PAGE, 2 * PAGE, 102) == 0;
  read_flags(flags_before, sizeof flags_before);

  victim_ready();

  static char flags_after[sizeof flags_before];
  read_flags(flags_after, sizeof flags_after);
  if (strcmp(flags_before, flags_after)) {
    char path[PATH_MAX + 32];
    char *a = flags_before, *b = flags_after;
    int shown = 0;
    while (*a && *b && shown < 5) {
      size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
      if (n != m || memcmp(a, b, n)) {
        victim_say("FAIL", __FILE__, __LINE__, 0, "was %.*s, is %.*s", (int)n, a, (int)m, b);
        shown++;
      }
      a += n + 1, b += m + 1;
    }
    (void)path;
    CHECK(0, "smaps differ");
  }
  for (int i = 0; i < ADVICES; i++) {
    CHECK_EQ(victim_compare(advised[i], N * PAGE, (uint64_t)i), -1);
    CHECK_EQ(victim_compare(half[i], N * PAGE, (uint64_t)i + 100), -1);
  }
  CHECK_EQ(victim_compare(noreserve, PAGE, 1), -1);
  CHECK_EQ(victim_compare(reserve_none + PAGE, PAGE, 2), -1);
  CHECK_EQ(victim_compare(grows, PAGE, 3), -1);
  CHECK_EQ(victim_compare(readonly, PAGE, 4), -1);
  CHECK_EQ(victim_compare(locked, PAGE, 5), -1);
  CHECK_EQ(victim_compare(onfault, PAGE, 6), -1);
  CHECK_EQ(victim_compare(named, N * PAGE, 7), -1);
  CHECK_EQ(victim_compare(left, N * PAGE, 8), -1);
  CHECK_EQ(victim_compare(left + N * PAGE, N * PAGE, 9), -1);
  CHECK_EQ(victim_compare(guarded, 3 * PAGE, 10), -1);
  if (guards) {
    int fd[2];
    CHECK(pipe(fd) == 0);
    CHECK(write(fd[1], guarded + 3 * PAGE, 1) < 0 && errno == EFAULT, "the guard region is gone");
    CHECK(write(fd[1], guarded + 5 * PAGE, 1) == 1);
  }
  return victim_done();
}
