// Files of /proc: global ones, of itself, of a thread, of a child, of members that have ended, directories half read, a
// position in the middle, and a descriptor's own directory; /sys too.
#include <dirent.h>

#include "victim.h"

static int open_of(pid_t pid, const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY);
  MUST(fd >= 0);
  return fd;
}

static bool begins(int fd, const char* text) {
  char seen[64] = "";
  return pread(fd, seen, sizeof seen - 1, 0) > 0 && strncmp(seen, text, strlen(text)) == 0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int meminfo = open("/proc/meminfo", O_RDONLY), mounts = open("/proc/self/mounts", O_RDONLY),
      status = open("/proc/self/status", O_RDONLY), thread = open("/proc/thread-self/comm", O_RDWR),
      sysctl = open("/proc/sys/kernel/ostype", O_RDONLY), uptime = open("/sys/kernel/mm", O_RDONLY | O_DIRECTORY);
  MUST(meminfo >= 0 && mounts >= 0 && status >= 0 && thread >= 0 && sysctl >= 0 && uptime >= 0);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    victim_child_done();
  }
  pid_t ended = fork();
  if (ended == 0) {
    victim_wait();
    _exit(0);
  }
  int of_child = open_of(child, "stat"), of_ended = open_of(ended, "status"), dir_of_ended = open_of(ended, "");
  victim_go(ended);
  MUST(waitpid(ended, NULL, 0) == ended);
  int task = open("/proc/self/task", O_RDONLY | O_DIRECTORY), fds = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
  char half[32] = "";
  MUST(read(status, half, 10) == 10 && task >= 0 && fds >= 0);
  victim_ready();
  CHECK(begins(meminfo, "MemTotal:") && begins(sysctl, "Linux"));
  CHECK(read(mounts, half, 10) == 10);
  CHECK_EQ(lseek(status, 0, SEEK_CUR), 10);
  CHECK(begins(status, "Name:\tproc_states"));
  CHECK(write(thread, "renamed", 7) == 7);
  char name[16] = "";
  CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "renamed") == 0);
  char expected[32];
  snprintf(expected, sizeof expected, "%d (proc_states)", child);
  CHECK(begins(of_child, expected));
  CHECK(pread(of_ended, half, 1, 0) < 0 && errno == ESRCH);
  CHECK(openat(dir_of_ended, "stat", O_RDONLY) < 0 && (errno == ESRCH || errno == ENOENT));
  snprintf(expected, sizeof expected, "%d/comm", getpid());
  CHECK(openat(task, expected, O_RDONLY) >= 0);
  CHECK(faccessat(fds, "0", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
  victim_join(child);
  return victim_done();
}
