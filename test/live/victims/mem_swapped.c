// Pages that are swapped out at the dump are read like all others, anonymous and shared.
// timeout: 60
#include <sys/swap.h>

#include "victim.h"

enum { PAGE = 4096, SIZE = 8 << 20 };

static long swapped(void) {
  const char* at = strstr(victim_slurp("/proc/self/status"), "VmSwap:");
  return at ? atol(at + 7) : 0;
}

// mkswap(8): the version-1 header in the first page.
static int make_swap(const char* path) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  static char page[1 << 20];
  for (int i = 0; i < 32; i++) MUST(write(fd, page, sizeof page) == sizeof page);
  uint32_t header[3] = {1, (32 << 20) / PAGE - 1, 0};
  MUST(pwrite(fd, header, sizeof header, 1024) == sizeof header && pwrite(fd, "SWAPSPACE2", 10, PAGE - 10) == 10);
  MUST(fsync(fd) == 0);
  close(fd);
  return swapon(path, 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char path[PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/swap", victim_dir);
  if (make_swap(path) != 0) victim_skip("swapon does not work here");
  char* m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* s = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(m != MAP_FAILED && s != MAP_FAILED && madvise(m, SIZE, MADV_NOHUGEPAGE) == 0);
  victim_fill(m, SIZE, 1);
  victim_fill(s, SIZE, 2);
  madvise(m, SIZE, 21), madvise(s, SIZE, 21);  // MADV_PAGEOUT
  MUST(mprotect(m, SIZE / 2, PROT_NONE) == 0);
  long out = swapped();
  if (out < 1024) {
    swapoff(path);
    victim_skip("the kernel swaps nothing out");
  }

  victim_ready();

  CHECK(mprotect(m, SIZE / 2, PROT_READ) == 0);
  CHECK_EQ(victim_compare(m, SIZE, 1), -1);
  CHECK_EQ(victim_compare(s, SIZE, 2), -1);
  swapoff(path);
  return victim_done();
}
