// Shared anonymous memory: one object at several addresses and offsets, in parent and children, read-only in one,
// named, with holes; /dev/zero mapped shared; memory shared by brothers only.
#include "victim.h"

enum { PAGE = 4096, N = 64 };

static char* shared(size_t pages) {
  char* at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(at != MAP_FAILED);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* a = shared(N);
  char* second = mremap(a + 16 * PAGE, 0, 8 * PAGE, MREMAP_MAYMOVE);  // a second view of a part
  MUST(second != MAP_FAILED);
  victim_fill(a, 4 * PAGE, 1);
  victim_fill(a + 16 * PAGE, PAGE, 2);
  victim_fill(a + (N - 1) * PAGE, PAGE, 3);
  char* named = shared(4);
  prctl(0x53564d41, 0, named, 4 * PAGE, "our name");
  victim_fill(named, PAGE, 4);
  int zero = open("/dev/zero", O_RDWR);
  char* dev = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
  MUST(dev != MAP_FAILED);
  close(zero);
  victim_fill(dev + PAGE, PAGE, 5);
  char* big = mmap(NULL, 1ul << 34, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                   0);  // 16 GiB of holes
  MUST(big != MAP_FAILED);
  victim_fill(big + (1ul << 33), PAGE, 6);
  char* guard = shared(3);
  MUST(mprotect(guard + PAGE, PAGE, PROT_NONE) == 0);
  pid_t child[2];
  char* brothers = shared(2);
  for (int i = 0; i < 2; i++) {
    child[i] = fork();
    if (child[i] == 0) {
      if (i == 1) MUST(mprotect(a, N * PAGE, PROT_READ) == 0);
      char* moved =
          mremap(brothers, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (char*)0x300000000000 + i * (1 << 20));
      MUST(moved != MAP_FAILED);
      *(atomic_int*)(named + 3 * PAGE) |= 1 << i;
      victim_wait();
      CHECK_EQ(victim_compare(a, 4 * PAGE, 10), -1);
      CHECK_EQ(victim_compare(dev + PAGE, PAGE, 5), -1);
      if (i == 0) moved[7] = 42;
      if (i == 1) CHECK_EQ(moved[7], 42);
      victim_child_done();
    }
  }
  MUST(munmap(brothers, 2 * PAGE) == 0);
  while (*(atomic_int*)(named + 3 * PAGE) != 3) sched_yield();

  victim_ready();

  CHECK_EQ(victim_compare(a, 4 * PAGE, 1), -1);
  CHECK_EQ(victim_compare(second, PAGE, 2), -1);
  CHECK_EQ(victim_compare(a + (N - 1) * PAGE, PAGE, 3), -1);
  CHECK_EQ(victim_compare(named, PAGE, 4), -1);
  CHECK_EQ(victim_compare(big + (1ul << 33), PAGE, 6), -1);
  CHECK(a[10 * PAGE] == 0 && big[0] == 0);
  second[PAGE] = 77;
  CHECK_EQ(a[17 * PAGE], 77);
  victim_fill(a, 4 * PAGE, 10);
  victim_join(child[0]);
  victim_join(child[1]);
  return victim_done();
}
