// What has been written to a pseudo-terminal and not been read yet: output in both modes and in packet mode, also of a
// slave that was closed; input as lines, ended by newline or end-of-file character, a line that is not finished, and
// bytes of all values; the echo of what is typed comes after what waits.
// lock: terminals
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "victim.h"

struct pair {
  int master, slave;
};

static struct pair make_pair(void) {
  struct pair p = {.master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)};
  int unlocked = 0;
  MUST(p.master >= 0 && ioctl(p.master, TIOCSPTLCK, &unlocked) == 0);
  p.slave = ioctl(p.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
  MUST(p.slave >= 0);
  return p;
}

static void clear_flags(int fd, tcflag_t local, bool raw) {
  struct termios t;
  MUST(tcgetattr(fd, &t) == 0);
  if (raw) cfmakeraw(&t);
  t.c_lflag &= ~local;
  MUST(tcsetattr(fd, TCSANOW, &t) == 0);
}

static void put(int fd, const char* bytes, size_t n) { MUST(write(fd, bytes, n) == (ssize_t)n); }

// One read gives exactly this; bytes on their way are waited for.
static void gives(int fd, const char* bytes, size_t n) {
  char seen[512];
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(poll(&p, 1, 2000) == 1);
  ssize_t got = read(fd, seen, sizeof seen);
  CHECK(got == (ssize_t)n && memcmp(seen, bytes, n) == 0, "%zd bytes instead of %zu: %.*s", got, n,
        (int)(got > 0 ? got : 0), seen);
}

// The same in as many reads as it takes.
static void streams(int fd, const char* bytes, size_t n) {
  char seen[512];
  size_t got = 0;
  struct pollfd p = {fd, POLLIN, 0};
  for (ssize_t r; got < n && poll(&p, 1, 2000) == 1 && (r = read(fd, seen + got, n - got)) > 0;) got += (size_t)r;
  CHECK(got == n && memcmp(seen, bytes, n) == 0, "%zu bytes instead of %zu: %.*s", got, n, (int)got, seen);
}

static void gives_nothing(int fd) { CHECK(read(fd, (char[1]){0}, 1) < 0 && errno == EAGAIN); }

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct pair output = make_pair(), raw = make_pair(), lines = make_pair(), ends = make_pair(), packets = make_pair(),
              closed = make_pair();
  char every[255], typed[] = "raw\x03in\x04\n\x7f\x11\x13\x16";
  for (int i = 0; i < 255; i++) every[i] = (char)(i + 1);
  int on = 1;
  put(output.slave, "out\n", 4);
  clear_flags(raw.slave, 0, true);
  put(raw.master, typed, sizeof typed);
  put(raw.slave, every, sizeof every);
  put(lines.master, "line one\nline two\npart", 22);
  clear_flags(ends.slave, ECHO, false);
  put(ends.master,
      "abc\x04"
      "def\n\x04"
      "ghi",
      12);
  MUST(ioctl(packets.master, TIOCPKT, &on) == 0);
  put(packets.slave, "packet", 6);
  put(closed.slave, "last words", 10);
  MUST(close(closed.slave) == 0);

  victim_ready();

  gives(output.master, "out\r\n", 5);
  gives_nothing(output.master);
  gives(raw.slave, typed, sizeof typed);
  streams(raw.master, every, sizeof every);
  gives(lines.slave, "line one\n", 9);
  gives(lines.slave, "line two\n", 9);
  gives_nothing(lines.slave);
  put(lines.master, "ial\n", 4);
  gives(lines.slave, "partial\n", 8);
  streams(lines.master, "line one\r\nline two\r\npartial\r\n", 29);
  gives(ends.slave, "abc", 3);
  gives(ends.slave, "def\n", 4);
  CHECK(read(ends.slave, every, sizeof every) == 0, "end of file");
  gives_nothing(ends.slave);
  put(ends.master, "\n", 1);
  gives(ends.slave, "ghi\n", 4);
  gives(packets.master, "\0packet", 7);
  streams(closed.master, "last words", 10);
  CHECK(read(closed.master, every, 1) < 0 && errno == EIO);
  return victim_done();
}
