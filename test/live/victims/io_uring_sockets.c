// Sockets that are registered with an io_uring, several of one protocol: each slot is the socket that it was.
// ignore: fd \d+ info$
#include <sys/socket.h>

#include "uring.h"

enum { PAIRS = 3 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, 8, 0, 0)) victim_skip("no io_uring here");
  int ends[PAIRS][2], files[2 * PAIRS];
  for (int i = 0; i < PAIRS; i++) {
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]) == 0);
    files[i] = ends[i][0], files[2 * PAIRS - 1 - i] = ends[i][1];
  }
  MUST(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_FILES, files, 2 * PAIRS) == 0);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", r.fd);
  if (!strstr(victim_slurp(path), "socket:["))
    victim_skip("this kernel shows only the protocol of a registered socket");

  victim_ready();

  for (unsigned i = 0; i < 2 * PAIRS; i++) {
    char sent = (char)('a' + i), got = 0;
    struct io_uring_sqe* s = uring_prepare(&r, IORING_OP_WRITE, (int)i, &sent, 1, i);
    s->flags = IOSQE_FIXED_FILE;
    uint64_t data;
    int result;
    CHECK_EQ(uring_enter(&r, 1, 1), 1);
    CHECK(uring_take(&r, &data, &result) && data == i && result == 1);
    int other = i < PAIRS ? ends[i][1] : ends[2 * PAIRS - 1 - i][0];
    CHECK(recv(other, &got, 1, MSG_DONTWAIT) == 1 && got == sent, "slot %u", i);
  }
  return victim_done();
}
