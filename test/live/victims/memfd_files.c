// memfd: content, size, name, mode, seals, two descriptions of one file, one that two processes share, one also mapped.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = memfd_create("plain", MFD_CLOEXEC), sealed = memfd_create("with seals", MFD_ALLOW_SEALING),
      mapped = memfd_create("mapped", 0);
  char path[64], text[32] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int again = open(path, O_RDONLY);
  MUST(fd >= 0 && again >= 0 && sealed >= 0 && mapped >= 0);
  MUST(ftruncate(fd, 1 << 20) == 0 && pwrite(fd, "far", 3, 700000) == 3 && write(fd, "near", 4) == 4 &&
       fchmod(fd, 0640) == 0);
  MUST(write(sealed, "sealed", 6) == 6 && fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL) == 0);
  MUST(ftruncate(mapped, 8192) == 0);
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
  MUST(map != MAP_FAILED);
  strcpy(map, "through the map");
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK(pwrite(fd, "child", 5, 100) == 5);
    strcpy(map + 4096, "child");
    victim_child_done();
  }

  victim_ready();

  struct stat st, other;
  CHECK(fstat(fd, &st) == 0 && st.st_size == 1 << 20 && (st.st_mode & 07777) == 0640);
  CHECK(fstat(again, &other) == 0 && other.st_ino == st.st_ino && lseek(again, 0, SEEK_CUR) == 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
  CHECK(pread(again, text, 3, 700000) == 3 && memcmp(text, "far", 3) == 0);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
  CHECK_EQ(fcntl(sealed, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL);
  CHECK(write(sealed, "x", 1) < 0 && errno == EPERM);
  CHECK(pread(sealed, text, 6, 0) == 6 && memcmp(text, "sealed", 6) == 0);
  CHECK(strcmp(map, "through the map") == 0 && pread(mapped, text, 7, 0) == 7 && memcmp(text, "through", 7) == 0);
  victim_join(child);
  CHECK(pread(again, text, 5, 100) == 5 && memcmp(text, "child", 5) == 0);
  CHECK(strcmp(map + 4096, "child") == 0);
  return victim_done();
}
