// fanotify: marks of a filesystem, of a mount, of a directory's children, of a file handle group with names, evictable
// ones and ignore masks; afterwards each tells of what it told before.
#include <sys/fanotify.h>

#include "victim.h"

#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200
#endif
#ifndef FAN_MARK_IGNORE_SURV
#define FAN_MARK_IGNORE_SURV 0x440
#endif

static void touch(const char* path) {
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0, "%s", path);
}

// All bits of events that wait; their descriptors are closed.
static uint64_t drain(int fd) {
  char buffer[8192] __attribute__((aligned(8)));
  uint64_t all = 0;
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0)
    for (struct fanotify_event_metadata* e = (void*)buffer; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
      all |= e->mask;
      if (e->fd >= 0) close(e->fd);
    }
  return all;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(mkdir("d", 0700) == 0);
  touch("d/file");
  touch("ignored");
  char shm[64];
  snprintf(shm, sizeof shm, "/dev/shm/fanotify.%d", getpid());
  touch(shm);
  unsigned flags = FAN_CLOEXEC | FAN_NONBLOCK;
  int whole = fanotify_init(FAN_CLASS_NOTIF | flags, O_RDONLY),
      mount = fanotify_init(FAN_CLASS_NOTIF | flags, O_RDONLY),
      names = fanotify_init(FAN_REPORT_DFID_NAME | flags, O_RDONLY),
      ignoring = fanotify_init(FAN_CLASS_NOTIF | flags, O_RDONLY | O_LARGEFILE);
  MUST(whole >= 0 && mount >= 0 && names >= 0 && ignoring >= 0);
  MUST(fanotify_mark(whole, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CLOSE_WRITE, AT_FDCWD, shm) == 0);
  MUST(fanotify_mark(mount, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "/dev/shm") == 0);
  MUST(fanotify_mark(names, FAN_MARK_ADD, FAN_CREATE | FAN_DELETE | FAN_ONDIR, AT_FDCWD, "d") == 0);
  MUST(fanotify_mark(ignoring, FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_MODIFY | FAN_EVENT_ON_CHILD, AT_FDCWD, "d") == 0);
  MUST(fanotify_mark(ignoring, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, "ignored") == 0);
  MUST(fanotify_mark(ignoring, FAN_MARK_ADD | FAN_MARK_IGNORE_SURV, FAN_MODIFY, AT_FDCWD, "ignored") == 0);
  victim_ready();
  drain(whole);  // others use /dev/shm too
  drain(mount);
  CHECK_EQ(drain(names), 0);
  CHECK_EQ(drain(ignoring), 0);
  touch(shm);
  CHECK(drain(whole) & FAN_CLOSE_WRITE);
  CHECK(drain(mount) & FAN_OPEN);
  CHECK(mkdir("d/new", 0700) == 0 && rmdir("d/new") == 0);
  CHECK((drain(names) & (FAN_CREATE | FAN_DELETE | FAN_ONDIR)) == (FAN_CREATE | FAN_DELETE | FAN_ONDIR));
  touch("d/file");
  CHECK_EQ(drain(ignoring), FAN_MODIFY);
  touch("ignored");
  CHECK_EQ(drain(ignoring), 0);
  unlink(shm);
  return victim_done();
}
