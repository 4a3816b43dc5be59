// Copy-on-write: what parent, children and grandchildren share after fork is shared after the restore, too. The sum of
// Pss stays within 2 %; each task's own changes, discarded pages, unmapped and protected parts are its own.
// timeout: 60
#include "victim.h"

enum { PAGE = 4096, SIZE = 16 << 20, CHILDREN = 12 };
static struct {
  atomic_int ready;
  pid_t grandchild;
} * board;

static long pss_of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  const char* at = strstr(victim_slurp(path), "\nPss:");
  return at ? atol(at + 5) : -1000000;
}

static void check_common(const char* m, int me) {
  for (int i = 0; i < SIZE / PAGE; i++) {
    if (i % 50 == me % 50 || i % 50 == 49 || (i >= 1000 && i < 1100)) continue;
    CHECK_EQ(victim_compare(m + (size_t)i * PAGE, PAGE, (uint64_t)i), -1);
  }
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char* m = mmap((void*)0x330000000000, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                 -1, 0);
  MUST(m != MAP_FAILED && board != MAP_FAILED);
  MUST(madvise(m, SIZE, MADV_NOHUGEPAGE) == 0);
  for (int i = 0; i < SIZE / PAGE; i++) victim_fill(m + (size_t)i * PAGE, PAGE, (uint64_t)i);
  char* inherited_heap = malloc(1 << 20);
  memset(inherited_heap, 7, 1 << 20);
  pid_t child[CHILDREN];
  for (int k = 0; k < CHILDREN; k++) {
    child[k] = fork();
    if (child[k] != 0) continue;
    for (int i = k; i < SIZE / PAGE; i += 50)
      victim_fill(m + (size_t)i * PAGE, PAGE, 100000u + (uint64_t)i + (uint64_t)k);
    if (k == 1) MUST(madvise(m + 1000 * PAGE, 100 * PAGE, MADV_DONTNEED) == 0);
    if (k == 2) MUST(munmap(m + 1000 * PAGE, 100 * PAGE) == 0);
    if (k == 3) MUST(mprotect(m + 1000 * PAGE, 100 * PAGE, PROT_READ) == 0);
    char* grown = k == 4 ? sbrk(1 << 20) : NULL;
    if (grown) memset(grown, 9, 1 << 20);
    pid_t grandchild = 0;
    if (k == 5) {
      grandchild = fork();
      if (grandchild == 0) m[49 * PAGE] = 1;
      if (grandchild) board->grandchild = grandchild;
    }
    atomic_fetch_add(&board->ready, 1);
    victim_wait();
    check_common(m, k);
    for (int i = k; i < SIZE / PAGE; i += 50)
      if (i < 1000 || i >= 1100)
        CHECK_EQ(victim_compare(m + (size_t)i * PAGE, PAGE, 100000u + (uint64_t)i + (uint64_t)k), -1);
    if (k == 1) CHECK(m[1000 * PAGE] == 0 && m[1100 * PAGE - 1] == 0);
    if (k == 3) CHECK(m[1001 * PAGE + 8] != 0);
    if (grown) CHECK(grown[0] == 9 && grown[(1 << 20) - 1] == 9);
    CHECK(inherited_heap[1000] == 7);
    inherited_heap[1000] = (char)k;
    if (k == 5 && grandchild) victim_join(grandchild);
    victim_child_done();
  }
  // what the parent changes after the forks is its own
  for (int i = 49; i < SIZE / PAGE; i += 50) victim_fill(m + (size_t)i * PAGE, PAGE, 200000u + (uint64_t)i);
  while (board->ready != CHILDREN + 1) sched_yield();
  long before = pss_of(getpid()) + pss_of(board->grandchild);
  for (int k = 0; k < CHILDREN; k++) before += pss_of(child[k]);

  victim_ready();

  long after = pss_of(getpid()) + pss_of(board->grandchild);
  for (int k = 0; k < CHILDREN; k++) after += pss_of(child[k]);
  CHECK(after < before + before / 50 && after > before - before / 20, "Pss was %ld KiB, is %ld KiB", before, after);
  check_common(m, 49);
  for (int i = 49; i < SIZE / PAGE; i += 50)
    CHECK_EQ(victim_compare(m + (size_t)i * PAGE, PAGE, 200000u + (uint64_t)i), -1);
  memset(m, 1, SIZE);
  for (int k = 0; k < CHILDREN; k++) victim_join(child[k]);
  return victim_done();
}
