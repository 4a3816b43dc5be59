// 10,000 mappings of alternating protection, every fifth with data.
// timeout: 40
#include "victim.h"

enum { PAGE = 4096, COUNT = 10000 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* area = (char*)mmap(NULL, (size_t)COUNT * 2 * PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(area != MAP_FAILED && madvise(area, (size_t)COUNT * 2 * PAGE, MADV_NOHUGEPAGE) == 0);
  for (int i = 0; i < COUNT; i += 5) victim_fill(area + (size_t)i * 2 * PAGE, PAGE, (uint64_t)i);
  for (int i = 0; i < COUNT; i += 2)
    MUST(mprotect(area + (size_t)i * 2 * PAGE, 2 * PAGE, i % 4 ? PROT_READ : PROT_NONE) == 0);
  victim_ready();
  for (int i = 0; i < COUNT; i += 2)
    CHECK(mprotect(area + (size_t)i * 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
  for (int i = 0; i < COUNT; i++) {
    if (i % 5 == 0)
      CHECK(victim_compare(area + (size_t)i * 2 * PAGE, PAGE, (uint64_t)i) == -1, "mapping %d", i);
    else
      CHECK(area[(size_t)i * 2 * PAGE] == 0);
  }
  return victim_done();
}
