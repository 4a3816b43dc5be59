// The heap: brk stays where it was, grows and shrinks, and malloc's structures hold.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static char* blocks[2000];
  for (int i = 0; i < 2000; i++) {
    size_t size = (size_t)(64 + i * 37 % 5000) & ~7ul;
    blocks[i] = (char*)malloc(size);
    victim_fill(blocks[i], size, (uint64_t)i);
  }
  for (int i = 0; i < 2000; i += 3) free(blocks[i]), blocks[i] = NULL;
  char* end = (char*)sbrk(0);
  victim_ready();
  CHECK(sbrk(0) == end);
  for (int i = 0; i < 2000; i++)
    if (blocks[i]) CHECK_EQ(victim_compare(blocks[i], (size_t)(64 + i * 37 % 5000) & ~7ul, (uint64_t)i), -1);
  for (int i = 0; i < 2000; i += 3) {
    blocks[i] = (char*)malloc(3000);
    memset(blocks[i], i, 3000);
  }
  for (int i = 0; i < 2000; i++) free(blocks[i]);
  char* more = (char*)sbrk(1 << 20);
  CHECK(more != (char*)-1);
  if (more != (char*)-1) memset(more, 1, 1 << 20);
  CHECK(sbrk(-(1 << 20)) != (void*)-1);
  return victim_done();
}
