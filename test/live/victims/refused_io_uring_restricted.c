// An io_uring that may not do everything (IORING_REGISTER_RESTRICTIONS): nobody tells what, and it must not come back
// with more rights.
// flavours: refused
// refused: pid \d+ fd \d+.*io_uring.*restricted
#include "uring.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, 4, 0, IORING_SETUP_R_DISABLED)) victim_skip("no io_uring here");
  struct io_uring_restriction only = {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP};
  MUST(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_RESTRICTIONS, &only, 1) == 0);
  MUST(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0);
  victim_ready();
  uring_exercise(&r, 10);
  uint64_t data;
  int result;
  uring_prepare(&r, IORING_OP_CLOSE, 1000, NULL, 0, 1);
  uring_enter(&r, 1, 1);
  CHECK(uring_take(&r, &data, &result) && result == -EACCES);
  return victim_done();
}
