// A device that is not known to be the same when it is opened again, named at the dump and found at the restore.
// dump: --external dev[10/237]:control
// restore: --external dev[control]:/dev/loop-control
#include <sys/sysmacros.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  struct stat st;
  if (fd < 0) victim_skip("no /dev/loop-control");
  MUST(fstat(fd, &st) == 0 && st.st_rdev == makedev(10, 237));
  int same = dup(fd);
  victim_ready();
  CHECK(fstat(same, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(10, 237));
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, fd, same) == 0);
  return victim_done();
}
