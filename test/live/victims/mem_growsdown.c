// Stacks that grow: MAP_GROWSDOWN areas that have grown, next to a guard, of a thread; they still grow afterwards, and
// the main stack too.
#include <alloca.h>
#include <sys/resource.h>

#include "victim.h"

enum { PAGE = 4096 };

static __attribute__((noinline)) int deep(int n) {
  volatile char room[4096];
  room[0] = (char)n;
  return n == 0 ? room[0] : deep(n - 1) + room[0] - (char)n;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* base = (char*)0x360000000000;
  char* stack = mmap(base + 256 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(stack != MAP_FAILED);
  for (int i = 1; i <= 100; i++) victim_fill(stack - i * PAGE, PAGE, (uint64_t)i);  // it grows
  // a neighbour below, nearer than the stack guard gap
  char* below = mmap(base, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(below != MAP_FAILED);
  char* grown = mmap(base + 2048 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(grown != MAP_FAILED);
  victim_fill(grown - PAGE, PAGE, 200);
  MUST(mprotect(grown - PAGE, PAGE, PROT_READ) == 0);
  CHECK_EQ(deep(200), 0);

  victim_ready();

  for (int i = 1; i <= 100; i++) CHECK_EQ(victim_compare(stack - i * PAGE, PAGE, (uint64_t)i), -1);
  CHECK_EQ(victim_compare(grown - PAGE, PAGE, 200), -1);
  for (int i = 101; i <= 150; i++) victim_fill(stack - i * PAGE, PAGE, (uint64_t)i);  // it grows on
  for (int i = 101; i <= 150; i++) CHECK_EQ(victim_compare(stack - i * PAGE, PAGE, (uint64_t)i), -1);
  CHECK_EQ(deep(1000), 0);
  return victim_done();
}
