// An io_uring in which a request waits for a pipe to become readable: refused with its descriptor and reason, and the
// program goes on.
// flavours: refused
// refused: pid \d+ fd \d+.*io_uring.*(ready|end)
#include "uring.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, 4, 0, 0)) victim_skip("no io_uring here");
  int ends[2];
  char text[4] = "";
  MUST(pipe(ends) == 0);
  uring_prepare(&r, IORING_OP_READ, ends[0], text, 3, 1);
  MUST(uring_enter(&r, 1, 0) == 1);
  victim_ready();
  uint64_t data;
  int result;
  CHECK(write(ends[1], "abc", 3) == 3);
  CHECK_EQ(uring_enter(&r, 0, 1), 0);
  CHECK(uring_take(&r, &data, &result) && result == 3 && memcmp(text, "abc", 3) == 0);
  return victim_done();
}
