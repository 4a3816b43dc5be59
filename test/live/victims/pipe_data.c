// Pipes: data in flight, full ones, changed sizes, packet mode, non-blocking ends, and half-closed ones of both kinds.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int plain[2], full[2], sized[2], packet[2], no_writer[2], no_reader[2], empty[2];
  MUST(pipe(plain) == 0 && pipe2(full, O_NONBLOCK) == 0 && pipe2(sized, O_CLOEXEC) == 0 &&
       pipe2(packet, O_DIRECT) == 0);
  MUST(pipe(no_writer) == 0 && pipe(no_reader) == 0 && pipe(empty) == 0);
  static char data[1 << 18], back[1 << 18];
  victim_fill(data, sizeof data, 5);
  MUST(write(plain[1], data, 5000) == 5000);
  long filled = 0;
  for (ssize_t n; (n = write(full[1], data + filled, 4096)) > 0;) filled += n;
  MUST(fcntl(sized[1], F_SETPIPE_SZ, 1 << 18) == 1 << 18);
  MUST(write(sized[1], data, 200000) == 200000);
  MUST(write(packet[1], "one", 3) == 3 && write(packet[1], "twotwo", 6) == 6 && write(packet[1], "3", 1) == 1);
  MUST(write(no_writer[1], "last", 4) == 4);
  close(no_writer[1]);
  MUST(write(no_reader[1], "lost", 4) == 4);
  close(no_reader[0]);

  victim_ready();

  CHECK(read(plain[0], back, sizeof back) == 5000 && memcmp(back, data, 5000) == 0);
  CHECK_EQ(fcntl(full[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  CHECK(write(full[1], "x", 1) == -1 && errno == EAGAIN);
  long got = 0;
  for (ssize_t n; (n = read(full[0], back + got, 65536)) > 0;) got += n;
  CHECK_EQ(got, filled);
  CHECK(memcmp(back, data, (size_t)filled) == 0);
  CHECK_EQ(fcntl(sized[0], F_GETPIPE_SZ), 1 << 18);
  CHECK_EQ(fcntl(sized[0], F_GETFD), FD_CLOEXEC);
  for (got = 0; got < 200000;) {
    ssize_t n = read(sized[0], back + got, sizeof back - (size_t)got);
    CHECK(n > 0);
    if (n <= 0) break;
    got += n;
  }
  CHECK(memcmp(back, data, 200000) == 0);
  CHECK((fcntl(packet[1], F_GETFL) & O_DIRECT) != 0);
  CHECK(read(packet[0], back, 100) == 3 && memcmp(back, "one", 3) == 0);
  CHECK(read(packet[0], back, 100) == 6 && memcmp(back, "twotwo", 6) == 0);
  CHECK(read(packet[0], back, 100) == 1 && back[0] == '3');
  CHECK(read(no_writer[0], back, 100) == 4 && memcmp(back, "last", 4) == 0);
  CHECK_EQ(read(no_writer[0], back, 100), 0);
  signal(SIGPIPE, SIG_IGN);
  CHECK(write(no_reader[1], "x", 1) == -1 && errno == EPIPE);
  fcntl(empty[0], F_SETFL, O_NONBLOCK);
  CHECK(read(empty[0], back, 1) == -1 && errno == EAGAIN);
  CHECK(write(empty[1], "y", 1) == 1 && read(empty[0], back, 1) == 1 && back[0] == 'y');
  return victim_done();
}
