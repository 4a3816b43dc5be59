// Nice values of autogroups (sched(7)): of the process's session and of another one of a child.
#include "victim.h"

static int group_nice(void) {
  const char* text = strstr(victim_slurp("/proc/self/autogroup"), " nice ");
  return text ? atoi(text + 6) : -99;
}

static void set(const char* nice) {
  int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
  if (fd < 0) victim_skip("the kernel has no autogroups");
  MUST(write(fd, nice, strlen(nice)) == (ssize_t)strlen(nice));
  close(fd);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  set("7");
  pid_t child = fork();
  if (child == 0) {
    MUST(setsid() == getpid());
    set("-3");
    victim_wait();
    CHECK_EQ(group_nice(), -3);
    victim_child_done();
  }
  victim_ready();
  CHECK_EQ(group_nice(), 7);
  victim_join(child);
  return victim_done();
}
