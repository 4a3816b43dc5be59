// Memory registered with userfaultfd: its pending faults cannot be kept.
// flavours: refused
// refused: userfaultfd
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) victim_skip("no userfaultfd here");
  struct uffdio_api api = {.api = UFFD_API};
  MUST(ioctl(fd, UFFDIO_API, &api) == 0);
  char* m = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register reg = {.range = {(uintptr_t)m, 16 * 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  MUST(ioctl(fd, UFFDIO_REGISTER, &reg) == 0);
  victim_ready();
  return victim_done();
}
