// Copy-on-write memory of a family: each member has its own version of changed pages and the common one of the rest.
#include "victim.h"

enum { PAGE = 4096, PAGES = 256, CHILDREN = 3 };
static char* area;

static void change(int who) {
  for (int i = who; i < PAGES; i += 7) victim_fill(area + i * PAGE, PAGE, (uint64_t)(10000 * who + i));
}

static void verify(int who) {
  for (int i = 0; i < PAGES; i++) {
    uint64_t seed = (uint64_t)i;
    if (who >= 0 && i % 7 == who % 7) seed = (uint64_t)(10000 * who + i);
    CHECK(victim_compare(area + i * PAGE, PAGE, seed) == -1, "member %d page %d", who, i);
  }
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  area = (char*)mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(area != MAP_FAILED);
  for (int i = 0; i < PAGES; i++) victim_fill(area + i * PAGE, PAGE, (uint64_t)i);
  pid_t child[CHILDREN];
  for (int c = 0; c < CHILDREN; c++) {
    child[c] = fork();
    if (child[c] == 0) {
      change(c);
      victim_wait();
      verify(c);
      memset(area, 0, PAGES * PAGE);
      victim_child_done();
    }
  }
  victim_ready();
  verify(-1);
  for (int c = 0; c < CHILDREN; c++) victim_join(child[c]);
  verify(-1);
  return victim_done();
}
