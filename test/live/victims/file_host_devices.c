// Devices of the host that are opened again by their path: the console, a virtual terminal, kmsg, the RTC, and null
// through a node of its own that has another name.
#include <sys/sysmacros.h>
#include <termios.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static const struct {
    const char* path;
    int flags;
  } list[] = {{"/dev/console", O_WRONLY | O_NOCTTY},
              {"/dev/tty3", O_RDWR | O_NOCTTY | O_NONBLOCK},
              {"/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK},
              {"/dev/kmsg", O_RDONLY | O_NONBLOCK},
              {"/dev/kmsg", O_WRONLY | O_APPEND},
              {"/dev/rtc0", O_RDONLY},
              {"own-null", O_RDWR}};
  enum { COUNT = sizeof list / sizeof *list };
  int fds[COUNT], flags[COUNT];
  MUST(mknod("own-null", S_IFCHR | 0600, makedev(1, 3)) == 0);
  for (int i = 0; i < COUNT; i++) {
    fds[i] = open(list[i].path, list[i].flags);
    flags[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_GETFL);
  }
  MUST(fds[COUNT - 1] >= 0);
  victim_ready();
  for (int i = 0; i < COUNT; i++) {
    if (fds[i] < 0) continue;
    struct stat st, by_path;
    CHECK_EQ(fcntl(fds[i], F_GETFL), flags[i]);
    CHECK(fstat(fds[i], &st) == 0 && stat(list[i].path, &by_path) == 0 && st.st_rdev == by_path.st_rdev, "%s",
          list[i].path);
  }
  return victim_done();
}
