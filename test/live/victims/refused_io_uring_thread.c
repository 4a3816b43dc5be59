// An io_uring with a submission thread of the kernel.
// flavours: refused
// ignore: fd \d+ info$
// refused: pid \d+ fd \d+.*io_uring.*SQPOLL
#include "uring.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, 4, 0, IORING_SETUP_SQPOLL)) victim_skip("no io_uring here");
  victim_ready();
  CHECK(fcntl(r.fd, F_GETFD) >= 0);
  return victim_done();
}
