// Mapped files with names that are hard to read in /proc: spaces, newlines, backslashes, a name that ends like that of
// a deleted file, one of 255 bytes, in a deep directory, through a symbolic link, renamed since, with a second name,
// without permissions; a block device.
#include "victim.h"

enum { PAGE = 4096, N = 10 };

static char* map(const char* name, int flags) {
  int fd = open(name, flags | O_CLOEXEC);
  MUST(fd >= 0);
  char* at = mmap(NULL, 2 * PAGE, PROT_READ | (flags == O_RDWR ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
  MUST(at != MAP_FAILED && close(fd) == 0);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static char most[256], deep[1000] = ".";
  memset(most, 'x', 255);
  for (int i = 0; i < 30; i++) {
    strcat(deep, "/d i r\n");
    MUST(mkdir(deep, 0755) == 0);
  }
  strcat(deep, "/file");
  const char* name[N] = {"with space", "with\nnewline\ttab", "back\\040slash\\", "looks (deleted)", most, deep,
                         "target",     "old name",           "two names",        "closed"};
  char* at[N];
  static char content[2 * PAGE];
  for (int i = 0; i < N; i++) {
    victim_fill(content, sizeof content, (uint64_t)i);
    int fd = open(name[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, content, sizeof content) == sizeof content && close(fd) == 0);
    if (i == 6) MUST(symlink("target", "link") == 0);
    at[i] = map(i == 6 ? "link" : name[i], O_RDWR);
  }
  MUST(rename("old name", "new name") == 0 && link("two names", "second name") == 0 && chmod("closed", 0) == 0);
  char first[16] = "";
  int disk = open("/dev/vda", O_RDONLY | O_CLOEXEC);  // where there is one
  char* device = disk < 0 ? MAP_FAILED : mmap(NULL, PAGE, PROT_READ, MAP_SHARED, disk, 0);
  if (device != MAP_FAILED) memcpy(first, device + 1080, sizeof first);
  if (disk >= 0) close(disk);

  victim_ready();

  for (int i = 0; i < N; i++) CHECK(victim_compare(at[i], 2 * PAGE, (uint64_t)i) == -1, "%s", name[i]);
  at[7][0] = 7, at[8][0] = 8;
  char got = 0;
  int fd = open("new name", O_RDONLY | O_CLOEXEC);
  CHECK(read(fd, &got, 1) == 1 && got == 7);
  close(fd);
  fd = open("second name", O_RDONLY | O_CLOEXEC);
  CHECK(read(fd, &got, 1) == 1 && got == 8, "the file of two names is another one");
  close(fd);
  if (device != MAP_FAILED) CHECK(memcmp(first, device + 1080, sizeof first) == 0);
  return victim_done();
}
