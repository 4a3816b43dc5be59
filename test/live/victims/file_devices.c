// /dev/null, zero, full, random and urandom.
#include "victim.h"

int main(int argc, char** argv) {
  static const char* const names[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
  static const unsigned minors[] = {3, 5, 7, 8, 9};
  victim_init(argc, argv);
  int fd[5];
  for (int i = 0; i < 5; i++) {
    fd[i] = open(names[i], O_RDWR | (i % 2 ? O_CLOEXEC : O_NONBLOCK));
    if (fd[i] < 0) fd[i] = open(names[i], O_RDONLY | (i % 2 ? O_CLOEXEC : O_NONBLOCK));
    MUST(fd[i] >= 0);
  }
  victim_ready();
  char text[64];
  for (int i = 0; i < 5; i++) {
    struct stat st;
    CHECK(fstat(fd[i], &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(st.st_rdev == (dev_t)((1u << 8) | minors[i]), "%s has device 0x%lx", names[i], (long)st.st_rdev);
    CHECK_EQ(fcntl(fd[i], F_GETFD), i % 2 ? FD_CLOEXEC : 0);
    CHECK_EQ((fcntl(fd[i], F_GETFL) & O_NONBLOCK) != 0, i % 2 == 0);
  }
  CHECK_EQ(read(fd[0], text, sizeof text), 0);
  CHECK_EQ(write(fd[0], text, sizeof text), sizeof text);
  memset(text, 1, sizeof text);
  CHECK(read(fd[1], text, sizeof text) == sizeof text && text[0] == 0 && text[63] == 0);
  CHECK(write(fd[2], "x", 1) == -1 && errno == ENOSPC);
  CHECK_EQ(read(fd[3], text, 8), 8);
  CHECK_EQ(read(fd[4], text, 8), 8);
  return victim_done();
}
