// Shared anonymous memory between unrelated parts of a tree at different addresses and offsets; the one who made it has
// left it or shrunk it; overlapping duplicates by mremap(old size 0), grown by mremap; parts in the middle given away.
#include "victim.h"

enum { PAGE = 4096, N = 32 };
static atomic_int* board;

int main(int argc, char** argv) {
  victim_init(argc, argv);
  board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char* a = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char* b = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(a != MAP_FAILED && b != MAP_FAILED);
  for (int i = 0; i < N; i++)
    victim_fill(a + i * PAGE, PAGE, (uint64_t)i), victim_fill(b + i * PAGE, PAGE, 100u + (uint64_t)i);
  pid_t child[3];
  for (int k = 0; k < 3; k++) {
    child[k] = fork();
    if (child[k]) continue;
    pid_t grandchild = 0;
    // each keeps another part, at another address; offsets cross
    char* at = mremap(a + 8 * k * PAGE, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                      (char*)0x371000000000 + k * PAGE * 64);
    MUST(at != MAP_FAILED);
    MUST(munmap(a, N * PAGE) == 0);
    if (k != 1) MUST(munmap(b, N * PAGE) == 0);
    if (k == 2) {
      grandchild = fork();
      if (grandchild == 0) {
        MUST(munmap(at, 4 * PAGE) == 0);
        at += 4 * PAGE;
      }
    }
    atomic_fetch_add(board, 1);
    victim_wait();
    if (k == 2 && grandchild == 0) {
      CHECK_EQ(victim_compare(at, PAGE, 20), -1);
      at[1] = 66;
      victim_child_done();
    }
    CHECK_EQ(victim_compare(at + PAGE, PAGE, (uint64_t)(8 * k + 1)), -1);
    if (k == 1) CHECK_EQ(victim_compare(b + 31 * PAGE, PAGE, 131), -1);
    at[0] = (char)(k + 10);
    if (grandchild) {
      victim_join(grandchild);
      CHECK_EQ(at[4 * PAGE + 1], 66);
    }
    victim_child_done();
  }
  while (*board != 4) sched_yield();
  MUST(munmap(b, N * PAGE) == 0);  // only a child has it now
  // views of a: the same pages twice, overlapping, in other order, through a larger one
  char* view[3];
  view[0] = mremap(a, 0, 16 * PAGE, MREMAP_MAYMOVE);
  view[1] = mremap(a + 12 * PAGE, 0, 16 * PAGE, MREMAP_MAYMOVE);
  view[2] = mremap(view[1] + 4 * PAGE, 0, 4 * PAGE, MREMAP_MAYMOVE);
  for (int i = 0; i < 3; i++) MUST(view[i] != MAP_FAILED);
  MUST(munmap(a + 2 * PAGE, 4 * PAGE) == 0);
  MUST(mprotect(view[1] + PAGE, PAGE, PROT_READ) == 0);
  char* large = mremap(view[2], 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
  MUST(large != MAP_FAILED);

  victim_ready();

  for (int k = 0; k < 3; k++) victim_join(child[k]);
  for (int k = 0; k < 3; k++) CHECK_EQ(a[8 * k * PAGE], k + 10);
  CHECK_EQ(a[20 * PAGE + 1], 66);
  CHECK_EQ(victim_compare(view[0] + 3 * PAGE, PAGE, 3), -1);
  CHECK_EQ(victim_compare(view[1] + 2 * PAGE, PAGE, 14), -1);
  CHECK_EQ(victim_compare(large + PAGE, PAGE, 17), -1);
  large[PAGE] = 55;
  CHECK(view[1][5 * PAGE] == 55 && a[17 * PAGE] == 55);
  view[0][PAGE] = 44;
  CHECK_EQ(a[PAGE], 44);
  return victim_done();
}
