// O_TMPFILE: a file that never had a name can still be given one; two descriptors of one; on tmpfs.
// ignore: fd \d+$
#include "victim.h"

static void check_content(int fd, const char* name) {
  char text[16] = "";
  CHECK(pread(fd, text, 15, 0) == 7 && strcmp(text, "no name") == 0, "%s: %s", name, text);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open(".", O_TMPFILE | O_RDWR | O_APPEND, 0640), shm = open("/dev/shm", O_TMPFILE | O_WRONLY, 0600);
  MUST(fd >= 0 && shm >= 0 && write(fd, "no name", 7) == 7 && write(shm, "no name", 7) == 7);
  int second = open("/proc/self/fd/3", O_RDONLY);
  MUST(fd == 3 && second >= 0);
  victim_ready();
  check_content(fd, "first");
  check_content(second, "second");
  CHECK(fcntl(fd, F_GETFL) & O_APPEND);
  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_mode == (S_IFREG | 0640));
  CHECK(linkat(AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
  int named = open("named", O_RDONLY);
  check_content(named, "named");
  CHECK(fstat(second, &st) == 0 && st.st_nlink == 1);
  return victim_done();
}
