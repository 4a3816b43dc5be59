// An io_uring that buffers were provided to: nobody tells where these are, so it is refused, not restored without them.
// flavours: refused
// refused: pid \d+ fd \d+.*io_uring.*group 300 of buffers
#include "uring.h"

struct buffer_ring {  // struct io_uring_buf_reg
  uint64_t address;
  uint32_t entries;
  uint16_t group, flags;
  uint64_t reserved[3];
};
struct ring_status {  // struct io_uring_buf_status
  uint32_t group, head, reserved[8];
};

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, 4, 0, 0)) victim_skip("no io_uring here");
  char* room = aligned_alloc(4096, 4096);
  struct buffer_ring b = {(uintptr_t)room, 16, 300, 0, {0}};
  struct ring_status status = {.group = 300};
  memset(room, 0, 4096);
  if (syscall(SYS_io_uring_register, r.fd, 22 /* IORING_REGISTER_PBUF_RING */, &b, 1))
    victim_skip("no buffer rings here");
  if (syscall(SYS_io_uring_register, r.fd, 26 /* IORING_REGISTER_PBUF_STATUS */, &status, 1))
    victim_skip("no status here");
  victim_ready();
  CHECK_EQ(syscall(SYS_io_uring_register, r.fd, 26, &status, 1), 0);
  uring_exercise(&r, 10);
  return victim_done();
}
