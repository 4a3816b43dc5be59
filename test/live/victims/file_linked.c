// A file whose name was removed while another one is left: the same inode again, no name more than before.
// engine: --link-remap
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("a", O_RDWR | O_CREAT, 0600);
  MUST(fd >= 0 && write(fd, "text", 4) == 4 && link("a", "b") == 0 && unlink("a") == 0);
  struct stat before, after;
  MUST(fstat(fd, &before) == 0);
  victim_ready();
  CHECK(fstat(fd, &after) == 0);
  CHECK_EQ(after.st_ino, before.st_ino);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
  CHECK(stat("b", &before) == 0 && before.st_ino == after.st_ino);
  CHECK(access("a", F_OK) != 0);
  return victim_done();
}
