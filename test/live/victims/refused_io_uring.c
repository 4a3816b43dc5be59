// An io_uring instance cannot be saved: refused with its descriptor and kind, and the program goes on.
// flavours: refused
// refused: pid \d+ fd \d+.*io_uring
#include <linux/io_uring.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct io_uring_params parameters = {0};
  int fd = (int)syscall(SYS_io_uring_setup, 4, &parameters);
  if (fd < 0) victim_skip("no io_uring here");
  victim_ready();
  CHECK(fcntl(fd, F_GETFD) >= 0);
  CHECK_EQ(syscall(SYS_io_uring_enter, fd, 0, 0, 0, NULL, 0), 0);
  return victim_done();
}
