// memfd_secret(2): the kernel shows it to nobody but its owner.
// flavours: refused
// refused: secret
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = (int)syscall(447, O_CLOEXEC);
  if (fd < 0) victim_skip("no memfd_secret here");
  MUST(ftruncate(fd, 4096) == 0);
  char* m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(m != MAP_FAILED);
  strcpy(m, "secret");
  close(fd);
  victim_ready();
  CHECK(strcmp(m, "secret") == 0);
  return victim_done();
}
