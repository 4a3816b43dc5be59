// Locks are kept with --file-locks only.
// flavours: refused
// refused: pid \d+ fd \d+.*flock.*--file-locks
#include <sys/file.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  MUST(fd >= 0 && flock(fd, LOCK_EX) == 0);
  victim_ready();
  int other = open("f", O_RDWR);
  CHECK(other >= 0 && flock(other, LOCK_EX | LOCK_NB) < 0);
  return victim_done();
}
