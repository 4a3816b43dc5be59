// Pipes in packet mode with many packets of all sizes, the mode on one description only, capacities up to the limit and
// below the default, a pipe opened again through /proc, and one that a process has open at both ends.
#include <sys/ioctl.h>

#include "victim.h"

static const int lengths[] = {1, 4096, 7, 100, 4095, 1, 1, 4096, 33};
enum { COUNT = sizeof lengths / sizeof *lengths };

static int inside(int fd) {
  int n = -1;
  ioctl(fd, FIONREAD, &n);
  return n;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int packets[2], mixed[2], small[2], large[2], loop[2];
  static char buffer[1 << 16];
  MUST(pipe2(packets, O_DIRECT) == 0 && pipe(mixed) == 0 && pipe(small) == 0 && pipe(large) == 0 && pipe(loop) == 0);
  for (int i = 0; i < COUNT; i++) {
    memset(buffer, 'a' + i, sizeof buffer);
    MUST(write(packets[1], buffer, lengths[i]) == lengths[i]);
  }
  int again = open("/proc/self/fd/6", O_WRONLY);
  MUST(mixed[1] == 6 && again >= 0 && fcntl(again, F_SETFL, O_DIRECT) == 0 && write(again, "one", 3) == 3 &&
       write(again, "two", 3) == 3);
  MUST(write(mixed[1], "bytes", 5) == 5);
  MUST(fcntl(small[0], F_SETPIPE_SZ, 4096) == 4096 && fcntl(large[0], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
  MUST(write(small[1], buffer, 4096) == 4096 && fcntl(large[1], F_SETFL, O_NONBLOCK) == 0);
  while (write(large[1], buffer, sizeof buffer) > 0) {
  }
  int filled = inside(large[0]), both = open("/proc/self/fd/11", O_RDWR | O_NONBLOCK);
  MUST(loop[0] == 11 && both >= 0 && close(loop[0]) == 0 && close(loop[1]) == 0 && write(both, "self", 4) == 4);
  victim_ready();
  for (int i = 0; i < COUNT; i++) {
    CHECK_EQ(read(packets[0], buffer, sizeof buffer), lengths[i]);
    CHECK(buffer[0] == 'a' + i && buffer[lengths[i] - 1] == 'a' + i, "packet %d", i);
  }
  CHECK_EQ(inside(packets[0]), 0);
  CHECK(fcntl(packets[1], F_GETFL) & O_DIRECT);
  CHECK((fcntl(mixed[1], F_GETFL) & O_DIRECT) == 0 && (fcntl(again, F_GETFL) & O_DIRECT));
  CHECK(read(mixed[0], buffer, 100) == 3 && memcmp(buffer, "one", 3) == 0);
  CHECK(read(mixed[0], buffer, 100) == 3 && memcmp(buffer, "two", 3) == 0);
  CHECK(read(mixed[0], buffer, 100) == 5 && memcmp(buffer, "bytes", 5) == 0);
  CHECK_EQ(fcntl(small[1], F_GETPIPE_SZ), 4096);
  CHECK_EQ(fcntl(large[1], F_GETPIPE_SZ), 1 << 20);
  CHECK_EQ(inside(large[0]), filled);
  CHECK(fcntl(small[1], F_SETFL, O_NONBLOCK) == 0 && write(small[1], "x", 1) < 0 && errno == EAGAIN);
  CHECK(read(both, buffer, 100) == 4 && memcmp(buffer, "self", 4) == 0);
  CHECK(read(both, buffer, 100) < 0 && errno == EAGAIN);
  return victim_done();
}
