// O_PATH descriptors of every type of file, with a name and without one: type, flags, and what can be done through
// them.
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "victim.h"

enum { NAMED = 12 };
static const char* const names[NAMED] = {"fifo", "link",  "directory", "null",     "socket",     "file",
                                         "/",    "/proc", "/dev/ptmx", "/dev/tty", "/proc/self", "/dev/null"};
static const mode_t types[NAMED] = {S_IFIFO, S_IFLNK, S_IFDIR, S_IFCHR, S_IFSOCK, S_IFREG,
                                    S_IFDIR, S_IFDIR, S_IFCHR, S_IFCHR, S_IFLNK,  S_IFCHR};

static mode_t type_of(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static void make_all(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int s = socket(AF_UNIX, SOCK_STREAM, 0), f = open("file", O_CREAT | O_RDWR, 0600);
  MUST(bind(s, (struct sockaddr*)&a, sizeof a) == 0 && write(f, "hello", 5) == 5 && close(s) == 0 && close(f) == 0);
  MUST(mkfifo("fifo", 0644) == 0 && symlink("nowhere", "link") == 0 && mkdir("directory", 0700) == 0 &&
       mknod("null", S_IFCHR | 0600, makedev(1, 3)) == 0);
}

static int open_again(int fd, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, flags);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int named[NAMED], gone[6];
  char text[32] = "";
  make_all();
  for (int i = 0; i < NAMED; i++) MUST((named[i] = open(names[i], O_PATH | O_NOFOLLOW | (i % 2 ? O_CLOEXEC : 0))) >= 0);
  MUST(mkdir("other", 0700) == 0 && chdir("other") == 0);
  make_all();
  for (int i = 0; i < 6; i++) {
    MUST((gone[i] = open(names[i], O_PATH | O_NOFOLLOW)) >= 0);
    MUST(unlinkat(AT_FDCWD, names[i], types[i] == S_IFDIR ? AT_REMOVEDIR : 0) == 0);
  }

  victim_ready();

  for (int i = 0; i < NAMED + 6; i++) {
    int fd = i < NAMED ? named[i] : gone[i - NAMED];
    CHECK_EQ(type_of(fd), types[i < NAMED ? i : i - NAMED]);
    CHECK(fcntl(fd, F_GETFL) & O_PATH);
    CHECK_EQ(fcntl(fd, F_GETFD), i < NAMED ? i % 2 : 0);
    CHECK(read(fd, text, 1) < 0 && errno == EBADF);
  }
  CHECK(readlinkat(named[1], "", text, sizeof text) == 7 && strcmp(text, "nowhere") == 0);
  CHECK(readlinkat(gone[1], "", text, sizeof text) == 7);
  CHECK(read(open_again(named[5], O_RDWR), text, 9) == 5 && read(open_again(gone[5], O_RDONLY), text, 9) == 5);
  CHECK(write(open_again(gone[3], O_WRONLY), "x", 1) == 1);
  return victim_done();
}
