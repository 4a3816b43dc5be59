// MAP_DROPPABLE (Linux 6.11): memory that the kernel may drop under pressure; it comes back as such, with its data.
#include "victim.h"

enum { PAGE = 4096 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* m = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | 0x08, -1, 0);
  if (m == MAP_FAILED) victim_skip("this kernel has no MAP_DROPPABLE");
  victim_fill(m + PAGE, 8 * PAGE, 1);
  char* readonly = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | 0x08, -1, 0);
  MUST(readonly != MAP_FAILED);
  victim_fill(readonly, 8 * PAGE, 2);
  MUST(mprotect(readonly, 16 * PAGE, PROT_READ) == 0);

  victim_ready();

  CHECK_EQ(victim_compare(m + PAGE, 8 * PAGE, 1), -1);
  CHECK_EQ(victim_compare(readonly, 8 * PAGE, 2), -1);

  return victim_done();
}
