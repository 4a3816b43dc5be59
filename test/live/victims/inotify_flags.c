// inotify: each flag of a watch, watches of a renamed and of a removed directory, of a file that was replaced, of a
// symbolic link itself, on tmpfs, two instances in two processes, and what they tell afterwards.
#include <sys/inotify.h>

#include "victim.h"

static void check_event(int fd, int wd, uint32_t mask, const char* name) {
  char buffer[4096] __attribute__((aligned(8)));
  ssize_t n = read(fd, buffer, sizeof buffer);
  for (char* at = buffer; at < buffer + n;) {
    struct inotify_event* e = (struct inotify_event*)at;
    if (e->wd == wd && (e->mask & mask) == mask && (!name || (e->len && strcmp(e->name, name) == 0))) return;
    at += sizeof *e + e->len;
  }
  CHECK(false, "watch %d does not tell of event %x", wd, mask);
}

static void check_silence(int fd) {
  char buffer[4096];
  CHECK(read(fd, buffer, sizeof buffer) < 0 && errno == EAGAIN);
}

static void touch(const char* path) {
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0, "%s", path);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(mkdir("d", 0700) == 0 && mkdir("moved", 0700) == 0 && mkdir("removed", 0700) == 0);
  touch("once");
  touch("replaced");
  touch("d/inside");
  MUST(symlink("once", "link") == 0);
  char shm[64];
  snprintf(shm, sizeof shm, "/dev/shm/inotify.%d", getpid());
  touch(shm);
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), removed = open("removed", O_RDONLY | O_DIRECTORY);
  int all = inotify_add_watch(fd, "d", IN_ALL_EVENTS | IN_ONLYDIR | IN_EXCL_UNLINK),
      moved = inotify_add_watch(fd, "moved", IN_CREATE | IN_MOVE_SELF),
      once = inotify_add_watch(fd, "once", IN_MODIFY | IN_ONESHOT),
      link = inotify_add_watch(fd, "link", IN_ATTRIB | IN_DONT_FOLLOW), tmpfs = inotify_add_watch(fd, shm, IN_MODIFY),
      old = inotify_add_watch(fd, "replaced", IN_CLOSE_WRITE);
  MUST(all > 0 && moved > 0 && once > 0 && link > 0 && tmpfs > 0 && old > 0 && removed >= 0);
  MUST(inotify_add_watch(fd, "moved", IN_DELETE | IN_MASK_ADD) == moved);
  int held = open("replaced", O_WRONLY);
  MUST(held >= 0 && rename("moved", "elsewhere") == 0 && rename("replaced", "old") == 0);
  touch("replaced");
  int gone = inotify_init1(IN_NONBLOCK), dead = inotify_add_watch(gone, "removed", IN_ALL_EVENTS);
  MUST(dead > 0 && rmdir("removed") == 0);
  char drain[4096];
  while (read(fd, drain, sizeof drain) > 0) {
  }
  while (read(gone, drain, sizeof drain) > 0) {
  }
  MUST(inotify_init1(0) >= 0);
  pid_t child = fork();
  if (child == 0) {
    int own = inotify_init1(IN_NONBLOCK), wd = inotify_add_watch(own, "d", IN_DELETE);
    MUST(wd == 1 && own >= 0);
    victim_wait();
    CHECK(unlink("d/new") == 0);
    check_event(own, wd, IN_DELETE, "new");
    victim_child_done();
  }
  victim_ready();
  check_silence(fd);
  touch("d/new");
  check_event(fd, all, IN_CREATE, "new");
  touch("elsewhere/new");
  check_event(fd, moved, IN_CREATE, "new");
  CHECK(unlink("elsewhere/new") == 0);
  check_event(fd, moved, IN_DELETE, "new");
  touch("once");
  check_event(fd, once, IN_MODIFY, NULL);
  touch("once");
  check_silence(fd);
  CHECK(lchown("link", 1, 1) == 0);
  check_event(fd, link, IN_ATTRIB, NULL);
  touch(shm);
  check_event(fd, tmpfs, IN_MODIFY, NULL);
  touch("replaced");
  check_silence(fd);
  victim_join(child);  // it has a copy
  CHECK(write(held, "x", 1) == 1 && close(held) == 0);
  check_event(fd, old, IN_CLOSE_WRITE, NULL);
  CHECK(rename("elsewhere", "again") == 0);
  check_event(fd, moved, IN_MOVE_SELF, NULL);
  unlink(shm);
  return victim_done();
}
