// brk in unusual states, a process each: never used, back to nothing, not at a page's end, its parts protected, locked,
// given names and advice, a mapping in its way, another program's memory in its middle. All go on where they were.
#include <sys/resource.h>

#include "victim.h"

enum { PAGE = 4096, KINDS = 8 };

// the C library's sbrk keeps a copy of its own
static char* brk_to(char* to) { return (char*)syscall(SYS_brk, to); }

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child[KINDS];
  atomic_int* built = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int kind = 0; kind < KINDS; kind++) {
    child[kind] = fork();
    if (child[kind]) continue;
    const char* stat = victim_slurp("/proc/self/stat");
    const char* field = strrchr(stat, ')') + 1;
    for (int i = 3; i <= 47; i++) field = strchr(field, ' ') + 1;
    char* start = (char*)strtoull(field, NULL, 10);
    char* end = brk_to(NULL);
    MUST(start && end >= start);
    if (kind >= 1) end = brk_to(start);
    MUST(end == start || kind == 0);
    if (kind >= 2) {
      end = brk_to(start + 64 * PAGE + (kind == 2 ? 123 : 0));
      MUST(end > start);
      char* aligned = (char*)(((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
      victim_fill(aligned, 60 * PAGE, (uint64_t)kind);
      if (kind == 3) MUST(mprotect(aligned + 8 * PAGE, 8 * PAGE, PROT_READ) == 0);
      if (kind == 4) MUST(mlock(aligned + 8 * PAGE, 8 * PAGE) == 0 && madvise(aligned, PAGE, MADV_DONTDUMP) == 0);
      if (kind == 5)
        MUST(mmap(aligned + 72 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
             MAP_FAILED);
      if (kind == 6) MUST(munmap(aligned + 16 * PAGE, 8 * PAGE) == 0);
      if (kind == 7)
        MUST(mmap(aligned + 16 * PAGE, 8 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
             MAP_FAILED);
    }
    atomic_fetch_add(built, 1);
    victim_wait();
    char* aligned = (char*)(((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    CHECK(brk_to(NULL) == end, "kind %d", kind);
    if (kind >= 2) {
      CHECK_EQ(victim_compare(aligned, 16 * PAGE, (uint64_t)kind), -1);
      victim_fill(aligned + 24 * PAGE, 8, 0);
    }
    char* more = brk_to(end + 5 * PAGE);
    CHECK(more == end + 5 * PAGE, "kind %d", kind);
    if (more == end + 5 * PAGE) {
      CHECK(more[-1] == 0);
      memset(more - 4 * PAGE, 1, 4 * PAGE);
    }
    if (kind == 5) CHECK(brk_to(end + 100 * PAGE) == more, "grown over a mapping");
    CHECK(brk_to(end) == end);
    CHECK(brk_to(start) == start, "kind %d", kind);
    _exit(atomic_load(&victim_failures) != 0);
  }
  while (*built < KINDS) usleep(1000);

  victim_ready();

  for (int kind = 0; kind < KINDS; kind++) victim_join(child[kind]);
  return victim_done();
}
