// An io_uring that was given buffers by IORING_OP_PROVIDE_BUFFERS.
// flavours: refused
// refused: pid \d+ fd \d+.*io_uring.*group 65535 of buffers
#include "uring.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, 4, 0, 0)) victim_skip("no io_uring here");
  uint32_t status[10] = {65535};
  if (syscall(SYS_io_uring_register, r.fd, 26 /* IORING_REGISTER_PBUF_STATUS */, status, 1) == 0 || errno != ENOENT)
    victim_skip("this kernel does not tell of buffers");
  static char room[4][100];
  struct io_uring_sqe* s = uring_prepare(&r, IORING_OP_PROVIDE_BUFFERS, 4, room, 100, 1);
  s->buf_group = 65535;
  uint64_t data;
  int result;
  MUST(uring_enter(&r, 1, 1) == 1 && uring_take(&r, &data, &result) && result >= 0);
  victim_ready();
  uring_exercise(&r, 10);
  return victim_done();
}
