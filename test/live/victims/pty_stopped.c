// Output of a pseudo-terminal that is stopped, by tcflow(3) or by a character that was typed, and starts again in the
// same way; a speed that has no name.
// lock: terminals
#include <asm/termbits.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "victim.h"

enum { STOP = 0x13, START = 0x11, OFF = 0, ON = 1 };  // OFF, ON: TCOOFF, TCOON, which <termios.h> has

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

static bool runs(int slave, int wait_ms) {
  struct pollfd p = {slave, POLLOUT, 0};
  return poll(&p, 1, wait_ms) == 1;
}

static bool passes(struct pair p) {
  char seen = 0;
  struct pollfd there = {p.master, POLLIN, 0};
  return write(p.slave, "x", 1) == 1 && poll(&there, 1, 2000) == 1 && read(p.master, &seen, 1) == 1 && seen == 'x';
}

static void type(int master, char c) { MUST(write(master, &c, 1) == 1); }

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct pair by_call = make_pair(), typed = make_pair(), odd = make_pair();
  MUST(ioctl(by_call.slave, TCXONC, OFF) == 0);
  type(typed.master, STOP);
  while (runs(typed.slave, 0)) (void)poll(NULL, 0, 1);  // the kernel brings it over in its own time
  struct termios2 t, now;
  MUST(ioctl(odd.slave, TCGETS2, &t) == 0);
  t.c_cflag = (t.c_cflag & ~(tcflag_t)CBAUD) | BOTHER;
  t.c_ispeed = t.c_ospeed = 12345;
  MUST(ioctl(odd.slave, TCSETS2, &t) == 0 && ioctl(odd.slave, TCGETS2, &t) == 0 && t.c_ospeed == 12345);

  victim_ready();

  CHECK(!runs(by_call.slave, 0) && write(by_call.slave, "x", 1) < 0 && errno == EAGAIN);
  type(by_call.master, START);
  CHECK(!runs(by_call.slave, 0), "what a call has stopped no character starts");
  CHECK(ioctl(by_call.slave, TCXONC, ON) == 0 && passes(by_call));
  CHECK(!runs(typed.slave, 0));
  CHECK(ioctl(typed.slave, TCXONC, ON) == 0 && !runs(typed.slave, 0), "what a character has stopped no call starts");
  type(typed.master, START);
  CHECK(runs(typed.slave, 2000) && passes(typed));
  CHECK(ioctl(odd.slave, TCGETS2, &now) == 0 && now.c_ospeed == 12345 && now.c_ispeed == t.c_ispeed, "%u %u",
        now.c_ospeed, now.c_ispeed);
  CHECK_EQ(now.c_cflag, t.c_cflag);
  CHECK(passes(odd));
  return victim_done();
}
