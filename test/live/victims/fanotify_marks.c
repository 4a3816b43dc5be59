// fanotify: marks of an inode with an ignored mask, and of a directory's children.
#include <sys/fanotify.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
  if (fd < 0) victim_skip("no fanotify here");
  int file = open("file", O_RDWR | O_CREAT, 0600);
  MUST(file >= 0 && mkdir("dir", 0700) == 0);
  MUST(fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY | FAN_OPEN, AT_FDCWD, "file") == 0);
  MUST(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN, AT_FDCWD,
                     "file") == 0);
  MUST(fanotify_mark(fd, FAN_MARK_ADD, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, AT_FDCWD, "dir") == 0);

  victim_ready();

  struct fanotify_event_metadata event;
  CHECK(read(fd, &event, sizeof event) < 0 && errno == EAGAIN);
  int other = open("file", O_RDONLY);
  CHECK(other >= 0 && read(fd, &event, sizeof event) < 0 && errno == EAGAIN);  // ignored
  CHECK(write(file, "x", 1) == 1);
  CHECK(read(fd, &event, sizeof event) == sizeof event && (event.mask & FAN_MODIFY) && event.fd >= 0);
  int made = open("dir/new", O_WRONLY | O_CREAT, 0600);
  CHECK(made >= 0 && close(made) == 0);
  CHECK(read(fd, &event, sizeof event) == sizeof event && (event.mask & FAN_CLOSE_WRITE));
  return victim_done();
}
