// inotify: watches of a directory, of a moved and of a deleted file, numbers with a gap, and no event of the restore.
#include <sys/inotify.h>

#include "victim.h"

static int next_event(int fd) {
  _Alignas(struct inotify_event) char buffer[512];
  return read(fd, buffer, sizeof buffer) > 0 ? ((struct inotify_event*)buffer)->wd : -errno;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  int file = open("first", O_RDWR | O_CREAT, 0600), gone = open("gone", O_RDWR | O_CREAT, 0600);
  MUST(fd >= 0 && file >= 0 && gone >= 0 && mkdir("dir", 0700) == 0 && mkdir("other", 0700) == 0);
  int moved_wd = inotify_add_watch(fd, "first", IN_MODIFY), removed = inotify_add_watch(fd, "other", IN_CREATE),
      dir_wd = inotify_add_watch(fd, "dir", IN_CREATE | IN_DELETE | IN_ONLYDIR),
      gone_wd = inotify_add_watch(fd, "gone", IN_MODIFY | IN_ATTRIB);
  MUST(moved_wd > 0 && dir_wd > 0 && gone_wd > 0 && inotify_rm_watch(fd, removed) == 0);
  MUST(rename("first", "second") == 0 && unlink("gone") == 0);
  for (int i = 0; i < 8; i++) next_event(fd);

  victim_ready();

  CHECK_EQ(next_event(fd), -EAGAIN);
  int made = open("dir/new", O_WRONLY | O_CREAT, 0600);
  CHECK(made >= 0);
  CHECK_EQ(next_event(fd), dir_wd);
  CHECK(write(file, "x", 1) == 1);
  CHECK_EQ(next_event(fd), moved_wd);
  CHECK(write(gone, "x", 1) == 1);
  CHECK_EQ(next_event(fd), gone_wd);
  CHECK(inotify_rm_watch(fd, dir_wd) == 0);
  return victim_done();
}
