// Regular files: position, access mode, status flags, close-on-exec, high numbers, and contents through them.
#include "victim.h"

struct plan {
  int fd, flags, descriptor_flags;
  off_t position;
};

int main(int argc, char** argv) {
  static const struct plan plans[] = {
      {5, O_RDONLY, 0, 7},
      {6, O_WRONLY, FD_CLOEXEC, 0},
      {9, O_RDWR, 0, 4096},
      {10, O_WRONLY | O_APPEND, 0, 100},
      {300, O_RDWR | O_NONBLOCK | O_SYNC, FD_CLOEXEC, 1l << 33},
      {301, O_RDWR | O_DSYNC | O_NOATIME, 0, 50},
      {1000, O_RDONLY | O_DIRECT, 0, 0},
  };
  enum { PLANS = sizeof plans / sizeof plans[0] };
  victim_init(argc, argv);
  char name[64];
  int shown[PLANS];
  for (int i = 0; i < PLANS; i++) {
    snprintf(name, sizeof name, "file %d\n", i);
    int fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600);
    MUST(fd >= 0 && write(fd, "0123456789abcdef", 16) == 16);
    close(fd);
    fd = open(name, plans[i].flags);
    if (fd < 0 && (plans[i].flags & O_DIRECT)) fd = open(name, plans[i].flags & ~O_DIRECT);  // tmpfs of old kernels
    MUST(fd >= 0 && dup3(fd, plans[i].fd, plans[i].descriptor_flags ? O_CLOEXEC : 0) == plans[i].fd);
    close(fd);
    MUST(lseek(plans[i].fd, plans[i].position, SEEK_SET) == plans[i].position);
    shown[i] = fcntl(plans[i].fd, F_GETFL);
  }

  victim_ready();

  for (int i = 0; i < PLANS; i++) {
    int fd = plans[i].fd;
    CHECK_EQ(fcntl(fd, F_GETFL), shown[i]);
    CHECK_EQ(fcntl(fd, F_GETFD), plans[i].descriptor_flags);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), plans[i].position);
    struct stat by_fd, by_name;
    snprintf(name, sizeof name, "file %d\n", i);
    CHECK(fstat(fd, &by_fd) == 0 && stat(name, &by_name) == 0);
    CHECK_EQ(by_fd.st_ino, by_name.st_ino);
  }
  char text[16] = "";
  CHECK(read(5, text, 3) == 3 && memcmp(text, "789", 3) == 0);
  CHECK(write(5, "x", 1) == -1 && errno == EBADF);
  CHECK(write(10, "+", 1) == 1);
  CHECK_EQ(lseek(10, 0, SEEK_CUR), 17);
  CHECK(pwrite(6, "XY", 2, 0) == 2 && read(6, text, 1) == -1 && errno == EBADF);
  for (int fd = 3; fd < 1024; fd++) {
    bool mine = false;
    for (int i = 0; i < PLANS; i++) mine |= plans[i].fd == fd;
    CHECK(mine == (fcntl(fd, F_GETFD) >= 0), "descriptor %d", fd);
  }
  return victim_done();
}
