// inotify on a file system whose files cannot be opened by handle: its root and what lies below.
#include <sys/inotify.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = inotify_init1(IN_NONBLOCK);
  MUST(fd >= 0 && inotify_add_watch(fd, "/sys", IN_DELETE_SELF) == 1);
  MUST(inotify_add_watch(fd, "/sys/kernel/mm", IN_DELETE_SELF) == 2);
  char events[4096];
  victim_ready();
  CHECK(read(fd, events, sizeof events) < 0 && errno == EAGAIN);
  // who has a watch already gets its number
  CHECK(inotify_add_watch(fd, "/sys/kernel/mm", IN_DELETE_SELF) == 2);
  CHECK(inotify_add_watch(fd, "/sys", IN_DELETE_SELF) == 1);
  return victim_done();
}
