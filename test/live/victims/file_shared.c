// Open file descriptions shared by dup and by fork move together; files opened twice do not.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("data", O_RDWR | O_CREAT, 0600);
  MUST(fd >= 0 && write(fd, "abcdefghijklmnopqrstuvwxyz", 26) == 26);
  int twin = dup(fd), other = open("data", O_RDWR);
  MUST(twin >= 0 && other >= 0);
  pid_t child = fork();
  if (child == 0) {
    int own = open("data", O_RDONLY), moved = dup2(twin, 77);
    close(other);
    MUST(own >= 0 && moved == 77 && lseek(own, 3, SEEK_SET) == 3);
    close(fd);
    victim_wait();
    char c = 0;
    CHECK_EQ(lseek(77, 0, SEEK_CUR), 12);
    CHECK_EQ(lseek(twin, 0, SEEK_CUR), 12);
    CHECK(read(77, &c, 1) == 1 && c == 'm');
    CHECK_EQ(lseek(own, 0, SEEK_CUR), 3);
    CHECK(fcntl(fd, F_GETFD) == -1);
    CHECK(fcntl(twin, F_SETFL, O_APPEND) == 0);
    victim_child_done();
  }
  MUST(lseek(fd, 10, SEEK_SET) == 10 && lseek(other, 20, SEEK_SET) == 20);
  victim_ready();
  char c = 0;
  CHECK_EQ(lseek(twin, 0, SEEK_CUR), 10);
  CHECK(read(fd, &c, 1) == 1 && c == 'k');
  CHECK(read(twin, &c, 1) == 1 && c == 'l');
  CHECK_EQ(lseek(other, 0, SEEK_CUR), 20);
  victim_join(child);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 13);
  CHECK((fcntl(fd, F_GETFL) & O_APPEND) != 0);
  CHECK((fcntl(other, F_GETFL) & O_APPEND) == 0);
  CHECK_EQ(lseek(other, 0, SEEK_CUR), 20);
  // kcmp(2) says what is one description and what is not
  CHECK_EQ(syscall(SYS_kcmp, getpid(), getpid(), 0, fd, twin), 0);
  CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, fd, other) != 0);
  return victim_done();
}
