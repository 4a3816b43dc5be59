// Files whose open name was removed while another one is left: in a directory that is gone too, with a new file under
// the old name, and with several names left.
// flavours: host ns
// engine: --link-remap
// ignore: fd [46]$
#include "victim.h"

static int make(const char* path, const char* text) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  MUST(fd >= 0 && write(fd, text, 1) == 1);
  return fd;
}

static void is(int fd, const char* path, char content, nlink_t links) {
  struct stat a, b;
  char seen = 0;
  CHECK(fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino, "%s", path);
  CHECK_EQ(a.st_nlink, links);
  CHECK(pread(fd, &seen, 1, 0) == 1 && seen == content);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int first = make("first", "f");
  MUST(link("first", "first left") == 0 && unlink("first") == 0);
  MUST(mkdir("gone", 0755) == 0 && mkdir("gone/deep", 0755) == 0);
  int below = make("gone/deep/below", "b");
  MUST(link("gone/deep/below", "below left") == 0 && unlink("gone/deep/below") == 0 && rmdir("gone/deep") == 0 &&
       rmdir("gone") == 0);
  int again = open("first left", O_RDONLY), old = make("taken", "o");
  MUST(link("taken", "one") == 0 && link("taken", "two") == 0 && unlink("taken") == 0);
  int taken = make("taken", "t");
  MUST(first == 3 && below == 4 && old == 6);
  victim_ready();
  is(first, "first left", 'f', 1);
  is(again, "first left", 'f', 1);
  is(below, "below left", 'b', 1);
  is(old, "one", 'o', 2);
  is(old, "two", 'o', 2);
  is(taken, "taken", 't', 1);
  CHECK(access("gone", F_OK) != 0 && access("first", F_OK) != 0);
  return victim_done();
}
