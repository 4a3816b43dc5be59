// An open directory in the middle of being read goes on where it was; O_PATH descriptors; *at calls relative to both.
#include <dirent.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char name[64];
  enum { FILES = 400 };
  MUST(mkdir("many", 0755) == 0);
  for (int i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "many/entry-with-a-long-name-%04d", i);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    MUST(fd >= 0);
    close(fd);
  }
  int directory = open("many", O_RDONLY | O_DIRECTORY), path = open("many/entry-with-a-long-name-0007", O_PATH);
  MUST(directory >= 0 && path >= 0);
  static char seen[FILES];
  char buffer[2048];
  int entries = 0, calls = 0;
  bool waited = false;
  for (long n; (n = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < n;) {
      struct dirent64* entry = (struct dirent64*)(void*)(buffer + at);
      int number = -1;
      if (sscanf(entry->d_name, "entry-with-a-long-name-%d", &number) == 1 && number >= 0 && number < FILES)
        seen[number]++;
      entries++;
      at += entry->d_reclen;
    }
    if (++calls == 3) {
      waited = true;
      victim_ready();
    }
  }
  CHECK(waited);
  for (int i = 0; i < FILES; i++) CHECK(seen[i] == 1, "entry %d was seen %d times", i, seen[i]);
  CHECK_EQ(entries, FILES + 2);
  CHECK((fcntl(path, F_GETFL) & O_PATH) != 0);
  char c;
  CHECK(read(path, &c, 1) == -1 && errno == EBADF);
  struct stat st;
  CHECK(fstat(path, &st) == 0 && S_ISREG(st.st_mode));
  int fd = openat(directory, "entry-with-a-long-name-0001", O_RDONLY);
  CHECK(fd >= 0);
  return victim_done();
}
