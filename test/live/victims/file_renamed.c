// Files and directories that were renamed while open, also over others, and a name that is taken again.
// ignore: fd 5$
#include "victim.h"

static int make(const char* path, const char* text) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  return fd;
}

static void check_text(int fd, const char* text) {
  char seen[64] = "";
  CHECK(pread(fd, seen, sizeof seen - 1, 0) == (ssize_t)strlen(text) && strcmp(seen, text) == 0, "%s", seen);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int moved = make("moved", "moved"), over = make("over", "over"), under = make("under", "under"),
      swapped_a = make("a", "a"), swapped_b = make("b", "b"), suffix = make("real (deleted)", "no ghost");
  MUST(mkdir("d", 0700) == 0);
  int inside = make("d/inside", "inside"), directory = open("d", O_RDONLY | O_DIRECTORY);
  MUST(directory >= 0);
  MUST(rename("moved", "d/elsewhere") == 0 && rename("over", "under") == 0 && rename("d", "e") == 0);
  MUST(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2 /* RENAME_EXCHANGE */) == 0);
  int taken = make("moved", "new");
  MUST(chdir("e") == 0);
  victim_ready();
  check_text(moved, "moved");
  check_text(over, "over");
  check_text(under, "under");
  check_text(swapped_a, "a");
  check_text(swapped_b, "b");
  check_text(suffix, "no ghost");
  check_text(inside, "inside");
  check_text(taken, "new");
  int again = openat(directory, "elsewhere", O_RDONLY);
  check_text(again, "moved");
  CHECK(access("inside", F_OK) == 0);
  return victim_done();
}
