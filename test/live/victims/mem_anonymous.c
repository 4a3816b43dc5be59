// Private anonymous memory: full, sparse, read-only, PROT_NONE with data, executable; untouched pages stay untouched.
#include "victim.h"

enum { PAGE = 4096, PAGES = 512 };

static char* map(size_t pages, int protection) {
  char* at = (char*)mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(at != MAP_FAILED);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* full = map(PAGES, PROT_READ | PROT_WRITE);
  char* sparse = map(PAGES, PROT_READ | PROT_WRITE);
  char* readonly = map(PAGES, PROT_READ | PROT_WRITE);
  char* none = map(PAGES, PROT_READ | PROT_WRITE);
  char* code = map(1, PROT_READ | PROT_WRITE);
  char* untouched = map(1 << 18, PROT_READ | PROT_WRITE);  // 1 GiB
  char* zero = map(16, PROT_READ | PROT_WRITE);
  MUST(madvise(sparse, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
  MUST(madvise(untouched, (size_t)(1 << 18) * PAGE, MADV_NOHUGEPAGE) == 0);
  victim_fill(full, PAGES * PAGE, 1);
  for (int i = 0; i < PAGES; i += 3) victim_fill(sparse + i * PAGE, PAGE, (uint64_t)i);
  victim_fill(readonly, PAGES * PAGE, 2);
  MUST(mprotect(readonly, PAGES * PAGE, PROT_READ) == 0);
  victim_fill(none, PAGES * PAGE, 3);
  MUST(mprotect(none, PAGES * PAGE, PROT_NONE) == 0);
  memcpy(code, "\xb8\x39\x30\x00\x00\xc3", 6);  // mov $12345,%eax; ret
  MUST(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
  victim_fill(untouched + (1 << 28), PAGE, 4);
  volatile char sum = 0;
  for (int i = 0; i < 16; i++) sum += zero[i * PAGE];  // the zero page

  victim_ready();

  CHECK_EQ(victim_compare(full, PAGES * PAGE, 1), -1);
  static unsigned char present[PAGES];
  CHECK(mincore(sparse, PAGES * PAGE, present) == 0);
  for (int i = 0; i < PAGES; i++)
    if (i % 3) CHECK((present[i] & 1) == 0, "page %d came into being", i);
  for (int i = 0; i < PAGES; i++) {
    if (i % 3 == 0)
      CHECK_EQ(victim_compare(sparse + i * PAGE, PAGE, (uint64_t)i), -1);
    else
      CHECK(sparse[i * PAGE] == 0 && memcmp(sparse + i * PAGE, sparse + i * PAGE + 1, PAGE - 1) == 0, "page %d", i);
  }
  CHECK_EQ(victim_compare(readonly, PAGES * PAGE, 2), -1);
  CHECK(mprotect(none, PAGES * PAGE, PROT_READ) == 0);
  CHECK_EQ(victim_compare(none, PAGES * PAGE, 3), -1);
  CHECK_EQ(((int (*)(void))(uintptr_t)code)(), 12345);
  CHECK_EQ(victim_compare(untouched + (1 << 28), PAGE, 4), -1);
  CHECK(untouched[0] == 0 && untouched[(1 << 29)] == 0);
  CHECK(madvise(full, PAGE, MADV_DONTNEED) == 0 && full[0] == 0 && full[PAGE - 1] == 0, "discarded memory is not zero");
  CHECK(sum == 0 && zero[5 * PAGE] == 0);
  return victim_done();
}
