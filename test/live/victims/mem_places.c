// Mappings where there are usually none: at address 0, the lowest ones above, at the end of the address space, right
// below and above the stack's room, the vDSO moved, the program's file unmapped in parts, private memory of /dev/zero.
#include <sys/auxv.h>

#include "victim.h"

enum { PAGE = 4096 };
#define END 0x7ffffffff000ul

static char* at(uintptr_t where, size_t size, int fd) {
  char* m = mmap((void*)where, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
  return m == MAP_FAILED ? NULL : m;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  bool zero = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void*)0;
  volatile char* null = NULL;
  __asm__("" : "+r"(null));
  if (zero) null[8] = 5;
  char *low = at(0x10000, PAGE, -1), *two = at(0x13000, 3 * PAGE, -1), *end = at(END - PAGE, PAGE, -1),
       *below = at(END - 5 * PAGE, 2 * PAGE, -1);
  MUST(low && two && end && below);
  victim_fill(low, PAGE, 1), victim_fill(two, 3 * PAGE, 2), victim_fill(end, PAGE, 3), victim_fill(below, 2 * PAGE, 4);
  int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
  char* z = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  MUST(fd >= 0 && z != MAP_FAILED);
  victim_fill(z + PAGE, PAGE, 5);
  close(fd);
  char* huge = at(0x200000000000, 1ul << 43, -1);  // 8 TiB
  char* reserve = mmap(NULL, 1ul << 43, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(reserve != MAP_FAILED);
  char* shared = mmap(NULL, 1ul << 40, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(shared != MAP_FAILED);
  victim_fill(shared + (1ul << 39), PAGE, 6);

  victim_ready();

  if (zero) CHECK_EQ(null[8], 5);
  CHECK_EQ(victim_compare(low, PAGE, 1), -1);
  CHECK_EQ(victim_compare(two, 3 * PAGE, 2), -1);
  CHECK_EQ(victim_compare(end, PAGE, 3), -1);
  CHECK_EQ(victim_compare(below, 2 * PAGE, 4), -1);
  CHECK_EQ(victim_compare(z + PAGE, PAGE, 5), -1);
  CHECK(z[0] == 0 && z[3 * PAGE] == 0);
  CHECK_EQ(victim_compare(shared + (1ul << 39), PAGE, 6), -1);
  if (huge) huge[1ul << 42] = 1;
  CHECK(mprotect(reserve + (1ul << 42), PAGE, PROT_READ | PROT_WRITE) == 0);
  reserve[1ul << 42] = 1;
  return victim_done();
}
