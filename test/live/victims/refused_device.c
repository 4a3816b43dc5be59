// A device whose state is not known is refused, and the options that would keep it are named with its number.
// flavours: refused
// refused: pid \d+ fd 3 /dev/loop-control: it is loop-control; .*--external dev\[10/237\]:NAME .*--external dev\[NAME\]:PATH
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("/dev/loop-control", O_RDWR);
  if (fd < 0) victim_skip("no /dev/loop-control");
  victim_ready();
  CHECK(fcntl(fd, F_GETFD) >= 0);
  return victim_done();
}
