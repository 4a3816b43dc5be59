// Sealed mappings (mseal(2), Linux 6.10): private with data, read-only, a part of a file, neighbours; still sealed.
#include "victim.h"

enum { PAGE = 4096 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* m = mmap((void*)0x350000000000, 16 * PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(m != MAP_FAILED);
  victim_fill(m, 16 * PAGE, 1);
  if (syscall(462, m, 4 * PAGE, 0) != 0) victim_skip("this kernel has no mseal");
  MUST(mprotect(m + 4 * PAGE, 4 * PAGE, PROT_READ) == 0 && syscall(462, m + 4 * PAGE, 4 * PAGE, 0) == 0);
  MUST(mprotect(m + 8 * PAGE, 4 * PAGE, PROT_NONE) == 0 && syscall(462, m + 8 * PAGE, 4 * PAGE, 0) == 0);
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  char* file = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  MUST(file != MAP_FAILED);
  memcpy(file, "mine", 4);
  MUST(syscall(462, file, 2 * PAGE, 0) == 0);
  close(fd);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK(munmap(m, PAGE) != 0 && errno == EPERM);
    victim_child_done();
  }

  victim_ready();

  CHECK_EQ(victim_compare(m, 8 * PAGE, 1), -1);
  CHECK(memcmp(file, "mine", 4) == 0);
  for (int i = 0; i < 12; i += 4) {
    CHECK(munmap(m + i * PAGE, PAGE) != 0 && errno == EPERM, "part %d is not sealed", i);
    CHECK(mprotect(m + i * PAGE, PAGE, PROT_EXEC) != 0 && errno == EPERM, "part %d is not sealed", i);
  }
  CHECK(munmap(file, PAGE) != 0 && errno == EPERM);
  CHECK(munmap(m + 12 * PAGE, 4 * PAGE) == 0);
  victim_join(child);
  return victim_done();
}
