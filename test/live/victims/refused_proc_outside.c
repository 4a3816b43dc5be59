// A file below /proc of a process outside of the tree: the reason names that process and what would keep the file.
// flavours: refused
// refused: pid \d+ fd 3 /proc/1/stat: process 1 is not in the tree; .*--external file\[[0-9a-f]+:[0-9a-f]+\]
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("/proc/1/stat", O_RDONLY);
  MUST(fd == 3);
  victim_ready();
  CHECK(fcntl(fd, F_GETFD) >= 0);
  return victim_done();
}
