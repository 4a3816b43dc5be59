// Without --link-remap a file whose name was removed while another one is left is refused by the option's name.
// flavours: refused
// refused: pid \d+ fd \d+.*--link-remap
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("a", O_RDWR | O_CREAT, 0600);
  MUST(fd >= 0 && link("a", "b") == 0 && unlink("a") == 0);
  victim_ready();
  CHECK(fcntl(fd, F_GETFD) >= 0);
  return victim_done();
}
