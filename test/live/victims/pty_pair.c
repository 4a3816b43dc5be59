// A pseudo-terminal of its own: settings, size, packet mode, a session with a foreground group on it, data passed
// after.
// lock: terminals
#include <sys/ioctl.h>
#include <termios.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0, packet = 1, number = -1, tty = -1;
  MUST(master >= 0 && ioctl(master, TIOCSPTLCK, &unlocked) == 0 && ioctl(master, TIOCGPTN, &number) == 0);
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  int slave = open(path, O_RDWR | O_NOCTTY);
  struct termios settings, now;
  MUST(slave >= 0 && tcgetattr(slave, &settings) == 0);
  cfmakeraw(&settings);
  settings.c_cc[VINTR] = 7;
  cfsetospeed(&settings, B9600);
  struct winsize size = {.ws_row = 30, .ws_col = 99, .ws_xpixel = 5}, size_now;
  MUST(tcsetattr(slave, TCSANOW, &settings) == 0 && ioctl(master, TIOCSWINSZ, &size) == 0);
  MUST(ioctl(master, TIOCPKT, &packet) == 0);
  MUST(tcgetattr(slave, &settings) == 0);
  int ends[2];
  MUST(pipe(ends) == 0);
  pid_t leader = fork();
  if (leader == 0) {
    setsid();
    MUST(ioctl(slave, TIOCSCTTY, 0) == 0);
    tty = open("/dev/tty", O_RDWR);
    MUST(tty >= 0 && write(ends[1], "x", 1) == 1);
    victim_wait();
    CHECK_EQ(tcgetpgrp(slave), getpgrp());
    CHECK_EQ(tcgetsid(slave), getpid());
    CHECK(open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0, "no controlling terminal");
    CHECK(write(tty, "from /dev/tty", 13) == 13);
    victim_child_done();
  }
  MUST(read(ends[0], text, 1) == 1);

  victim_ready();

  int number_now = -1, packet_now = 0;
  CHECK(ioctl(master, TIOCGPTN, &number_now) == 0 && number_now == number);
  CHECK(ioctl(master, TIOCGPKT, &packet_now) == 0 && packet_now == 1);
  CHECK(tcgetattr(slave, &now) == 0 && now.c_lflag == settings.c_lflag && now.c_iflag == settings.c_iflag);
  CHECK(now.c_cflag == settings.c_cflag && memcmp(now.c_cc, settings.c_cc, sizeof now.c_cc) == 0);
  CHECK(ioctl(slave, TIOCGWINSZ, &size_now) == 0 && memcmp(&size_now, &size, sizeof size) == 0);
  victim_join(leader);
  CHECK(read(master, text, sizeof text) == 14 && memcmp(text + 1, "from /dev/tty", 13) == 0);
  return victim_done();
}
