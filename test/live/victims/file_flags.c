// Every flag of open(2) that an open file keeps, each alone and with others, on a file and on directories.
#include "victim.h"

struct opening {
  const char* path;
  int flags, fd, shown;
};

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct opening list[] = {
      {"f", O_RDONLY, 0, 0},
      {"f", O_WRONLY, 0, 0},
      {"f", O_RDWR, 0, 0},
      {"f", 3, 0, 0},  // neither: ioctl only
      {"f", O_RDWR | O_APPEND, 0, 0},
      {"f", O_RDONLY | O_APPEND, 0, 0},
      {"f", O_RDWR | O_SYNC, 0, 0},
      {"f", O_RDWR | O_DSYNC, 0, 0},
      {"f", O_RDWR | O_DIRECT, 0, 0},
      {"f", O_RDWR | O_NOATIME | O_NONBLOCK, 0, 0},
      {"f", O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0, 0},
      {"f", O_RDWR | O_CREAT | O_TRUNC | O_NOCTTY, 0, 0},
      {"f", O_PATH, 0, 0},
      {"f", O_PATH | O_CLOEXEC, 0, 0},
      {"d", O_RDONLY | O_DIRECTORY, 0, 0},
      {"d", O_RDONLY, 0, 0},
      {"d", O_PATH | O_DIRECTORY, 0, 0},
      {"d", O_RDONLY | O_DIRECTORY | O_NOATIME | O_NONBLOCK, 0, 0},
      {"s", O_PATH | O_NOFOLLOW, 0, 0},
      {"s", O_PATH, 0, 0},
      {"p", O_PATH, 0, 0},
      {"u", O_PATH, 0, 0},
      {"/dev/null", O_PATH, 0, 0},
      {"/", O_PATH, 0, 0},
      {"/", O_RDONLY, 0, 0},
  };
  int n = sizeof list / sizeof *list, first = open("f", O_RDWR | O_CREAT, 0600);
  MUST(first >= 0 && mkdir("d", 0700) == 0 && symlink("f", "s") == 0 && mkfifo("p", 0600) == 0);
  MUST(mknod("u", S_IFSOCK | 0600, 0) == 0);
  for (int i = 0; i < n; i++) {
    list[i].fd = open(list[i].path, list[i].flags, 0600);
    MUST(list[i].fd >= 0);
    list[i].shown = fcntl(list[i].fd, F_GETFL);
  }
  victim_ready();
  for (int i = 0; i < n; i++) {
    int flags = fcntl(list[i].fd, F_GETFL);
    CHECK(flags == list[i].shown, "%s opened 0%o: flags 0%o were 0%o", list[i].path, list[i].flags, flags,
          list[i].shown);
    CHECK(fcntl(list[i].fd, F_GETFD) == (list[i].flags & O_CLOEXEC ? FD_CLOEXEC : 0), "%d", i);
  }
  char target[8] = "";
  CHECK(readlinkat(list[18].fd, "", target, 7) == 1 && target[0] == 'f');
  CHECK(openat(list[14].fd, "new", O_RDWR | O_CREAT, 0600) >= 0);
  return victim_done();
}
