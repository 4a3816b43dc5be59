// Copy-on-write in a whole family: every page of memory that some of its members share is shared by the same ones after
// the restore, also where their parents, or the processes between them, have other versions of it by now; and each
// stands in the images once.
// pages: 8300
// timeout: 60
#include "barrier.h"

enum { PAGE = 4096, REGION = 512, CHILDREN = 6, MEMBERS = CHILDREN + 3, LATE = 3, MIDDLE = 4 };
enum { A, B, C, D, E, F, G, EMPTY, REGIONS };
enum { PAGES = REGIONS * REGION };
static char* area;
static uint64_t seeds[PAGES];  // what this member has on each page; 0: nothing
static struct {
  atomic_ulong seed;
  pid_t pid[MEMBERS];
} * board;

static void write_region(int region) {
  for (int i = region * REGION; i < (region + 1) * REGION; i++) {
    seeds[i] = 1 + (uint64_t)atomic_fetch_add(&board->seed, 1) * 1000;
    victim_fill(area + (size_t)i * PAGE, PAGE, seeds[i]);
  }
}

static void verify(void) {
  for (int i = 0; i < PAGES; i++)
    if (seeds[i]) CHECK(victim_compare(area + (size_t)i * PAGE, PAGE, seeds[i]) == -1, "page %d", i);
}

static void live_on(int me, pid_t* child, int children) {
  board->pid[me] = getpid();
  barrier_add();
  victim_wait();
  verify();
  for (int i = 0; i < children; i++) victim_join(child[i]);
  verify();
  memset(area + 64 * PAGE, me, (PAGES - REGION - 64) * PAGE);
  victim_child_done();
}

// It has its own D before its children are born, its own E and F after.
static void live_on_in_the_middle(void) {
  pid_t child[2];
  write_region(D);
  for (int i = 0; i < 2; i++)
    if ((child[i] = fork()) == 0) live_on(CHILDREN + i, NULL, 0);
  write_region(E);
  write_region(F);
  live_on(MIDDLE, child, 2);
}

static void live_on_with_less(void) {
  MUST(munmap(area, 32 * PAGE) == 0);
  MUST(madvise(area + 32 * PAGE, 32 * PAGE, MADV_DONTNEED) == 0);
  memset(seeds, 0, 64 * sizeof *seeds);
  live_on(1, NULL, 0);
}

static bool read_words(pid_t pid, uint64_t* words) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  const off_t at = (off_t)((uintptr_t)area / PAGE * 8);
  bool all = fd >= 0 && pread(fd, words, PAGES * 8, at) == PAGES * 8;
  close(fd);
  return all;
}

// For each member and page the first member that has the same page of memory there: its own number plus one when
// nobody before it has; 0 where it has none.
static void look(uint8_t owner[MEMBERS][PAGES]) {
  static uint64_t words[MEMBERS][PAGES];
  for (int m = 0; m < MEMBERS; m++) MUST(read_words(board->pid[m], words[m]));
  for (int i = 0; i < PAGES; i++)
    for (int m = 0; m < MEMBERS; m++) {
      const uint64_t frame = words[m][i] & ((1ull << 55) - 1);
      owner[m][i] = 0;
      if (!(words[m][i] >> 62)) continue;
      if (!frame) victim_skip("page frames cannot be seen");
      for (int k = 0; !owner[m][i]; k++)
        if ((words[k][i] >> 62) && (words[k][i] & ((1ull << 55) - 1)) == frame) owner[m][i] = (uint8_t)(k + 1);
    }
}

static bool same(uint8_t before[MEMBERS][PAGES], uint8_t after[MEMBERS][PAGES], bool tell) {
  for (int m = 0; m < MEMBERS; m++)
    for (int i = 0; i < PAGES; i++) {
      if (before[m][i] == after[m][i]) continue;
      if (tell) CHECK(false, "member %d page %d was that of %d, is of %d", m, i, before[m][i] - 1, after[m][i] - 1);
      return false;
    }
  return true;
}

static long pss_of_family(void) {
  long sum = 0;
  for (int m = 0; m < MEMBERS; m++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)board->pid[m]);
    const char* at = strstr(victim_slurp(path), "\nPss:");
    MUST(at);
    sum += atol(at + 5);
  }
  return sum;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  barrier_init();
  board = barrier_memory();
  area = mmap((void*)0x330000000000, PAGES * PAGE, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(area != MAP_FAILED && madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
  for (int r = A; r < EMPTY; r++) write_region(r);
  board->pid[MEMBERS - 1] = getpid();
  pid_t child[CHILDREN];
  for (int k = 0; k < CHILDREN; k++) {
    if (k == LATE) {  // those born later share other versions
      write_region(B);
      write_region(C);
    }
    if ((child[k] = fork()) != 0) continue;
    if (k == MIDDLE) live_on_in_the_middle();
    if (k == 1) live_on_with_less();
    live_on(k, NULL, 0);
  }
  write_region(A);
  write_region(C);
  write_region(F);
  barrier_wait(MEMBERS - 1);
  static uint8_t before[MEMBERS][PAGES], after[MEMBERS][PAGES];
  look(before);
  const long pss = pss_of_family();

  victim_ready();

  // a page may move while it is looked at
  for (int tries = 10; tries > 0; tries--) {
    look(after);
    if (same(before, after, tries == 1)) break;
  }
  const long now = pss_of_family();
  CHECK(now <= pss + pss / 50 && now >= pss - pss / 50, "Pss was %ld KiB, is %ld KiB", pss, now);
  verify();
  for (int k = 0; k < CHILDREN; k++) victim_join(child[k]);
  verify();
  return victim_done();
}
