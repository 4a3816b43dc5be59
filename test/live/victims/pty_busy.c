// A pseudo-terminal whose number somebody else has when the tree comes back: in ns-restore it gets a /dev/pts of its
// own.
// flavours: ns leave
// terminals: 8
// lock: terminals
#include <sys/ioctl.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0, number = -1, now = -1;
  MUST(master >= 0 && ioctl(master, TIOCSPTLCK, &unlocked) == 0 && ioctl(master, TIOCGPTN, &number) == 0);
  char path[64], seen[8] = "";
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  int slave = open(path, O_RDWR | O_NOCTTY);
  MUST(slave >= 0);
  victim_ready();
  CHECK(ioctl(master, TIOCGPTN, &now) == 0 && now == number);
  int again = open(path, O_RDWR | O_NOCTTY);
  CHECK(again >= 0 && write(master, "line\n", 5) == 5 && read(again, seen, 8) == 5 && strcmp(seen, "line\n") == 0);
  struct stat a, b;
  CHECK(fstat(slave, &a) == 0 && stat(path, &b) == 0 && a.st_rdev == b.st_rdev && a.st_dev == b.st_dev);
  CHECK(open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0);
  return victim_done();
}
