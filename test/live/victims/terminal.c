// A controlling terminal from outside the tree, with --shell-job: settings, foreground group, and it still talks.
// terminal
// engine: --shell-job
// ignore: tgid pgid sid$
// ignore: status NSsid$
// ignore: ids$
// lock: terminals
#include <sys/ioctl.h>
#include <termios.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct termios settings, now;
  signal(SIGTTOU, SIG_IGN);
  MUST(isatty(0) && tcgetattr(0, &settings) == 0);
  settings.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
  settings.c_cc[VMIN] = 3;
  MUST(tcsetattr(0, TCSANOW, &settings) == 0);
  struct winsize size = {.ws_row = 33, .ws_col = 101}, size_now;
  MUST(ioctl(0, TIOCSWINSZ, &size) == 0);
  victim_ready();
  CHECK(isatty(0) && isatty(1) && isatty(2));
  CHECK(tcgetattr(0, &now) == 0 && now.c_lflag == settings.c_lflag && now.c_cc[VMIN] == 3);
  CHECK(ioctl(0, TIOCGWINSZ, &size_now) == 0 && size_now.ws_row == 33 && size_now.ws_col == 101);
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
  CHECK(tty >= 0, "no controlling terminal");
  CHECK_EQ(tcgetpgrp(tty), getpgrp());
  CHECK_EQ(write(1, "hello terminal\n", 15), 15);
  return victim_done();
}
