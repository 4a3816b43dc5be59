// The audit login uid.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
  if (fd < 0) victim_skip("the kernel has no loginuid");
  if (write(fd, "1777", 4) != 4) victim_skip("the loginuid cannot be set here");
  close(fd);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK_EQ(atoi(victim_slurp("/proc/self/loginuid")), 1777);
    victim_child_done();
  }
  victim_ready();
  CHECK_EQ(atoi(victim_slurp("/proc/self/loginuid")), 1777);
  victim_join(child);
  return victim_done();
}
