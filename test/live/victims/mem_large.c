// Much small-page memory, with holes, protections and a child: filled from outside by the engine.
#include "victim.h"

enum { PAGE = 4096, SIZE = 64 << 20 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(m != MAP_FAILED);
  MUST(madvise(m, SIZE, MADV_NOHUGEPAGE) == 0);
  for (size_t i = 0; i < SIZE / PAGE; i++)
    if (i % 100 < 90) victim_fill(m + i * PAGE, PAGE, i);
  MUST(mprotect(m + (8 << 20), 8 << 20, PROT_READ) == 0);
  MUST(mprotect(m + (24 << 20), 8 << 20, PROT_NONE) == 0);
  MUST(mlock(m + (40 << 20), 1 << 20) == 0);
  pid_t child = fork();
  if (child == 0) {
    for (size_t i = 0; i < (8 << 20) / PAGE; i++) victim_fill(m + i * PAGE, PAGE, i + 7);
    victim_wait();
    for (size_t i = 0; i < (8 << 20) / PAGE; i++) CHECK_EQ(victim_compare(m + i * PAGE, PAGE, i + 7), -1);
    victim_child_done();
  }

  victim_ready();

  CHECK(mprotect(m + (24 << 20), 8 << 20, PROT_READ) == 0);
  static unsigned char present[SIZE / PAGE];
  CHECK(mincore(m, SIZE, present) == 0);
  for (size_t i = 0; i < SIZE / PAGE; i++) {
    bool locked = i >= (40 << 20) / PAGE && i < (41 << 20) / PAGE;
    if (i % 100 < 90)
      CHECK_EQ(victim_compare(m + i * PAGE, PAGE, i), -1);
    else if (!locked)
      CHECK((present[i] & 1) == 0, "page %zu came into being", i);
  }
  victim_join(child);
  return victim_done();
}
