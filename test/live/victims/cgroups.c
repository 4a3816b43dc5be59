// Cgroups of v1 and v2, another one for a child, that are gone when the tree is restored: they come back with their
// settings and members.
// lock: cgroups
// restore: --action-script @SOURCE@/tools/remove_cgroups.sh
#include "victim.h"

#define PIDS "/sys/fs/cgroup/pids/nsr-live-cgroups"
#define UNIFIED "/sys/fs/cgroup/unified/nsr-live-cgroups"

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if ((mkdir(PIDS, 0755) != 0 || mkdir(PIDS "/a", 0750) != 0 || mkdir(UNIFIED, 0755) != 0) && errno != EEXIST)
    victim_skip("no cgroups can be made here");
  put(PIDS "/a/pids.max", "77");
  put(UNIFIED "/cgroup.max.depth", "5");
  put(PIDS "/a/cgroup.procs", "0");
  pid_t child = fork();
  if (child == 0) {
    put(UNIFIED "/cgroup.procs", "0");
    put("/sys/fs/cgroup/pids/cgroup.procs", "0");
    victim_wait();
    CHECK(strstr(victim_slurp("/proc/self/cgroup"), "0::/nsr-live-cgroups\n") != NULL);
    CHECK(strstr(victim_slurp("/proc/self/cgroup"), "pids:/\n") != NULL);
    put("/sys/fs/cgroup/unified/cgroup.procs", "0");
    victim_child_done();
  }
  while (strstr(victim_slurp(UNIFIED "/cgroup.procs"), "\n") == NULL) sched_yield();
  victim_ready();
  CHECK(strstr(victim_slurp("/proc/self/cgroup"), "pids:/nsr-live-cgroups/a\n") != NULL);
  CHECK_EQ(atoi(victim_slurp(PIDS "/a/pids.max")), 77);
  CHECK_EQ(atoi(victim_slurp(UNIFIED "/cgroup.max.depth")), 5);
  struct stat st;
  CHECK(stat(PIDS "/a", &st) == 0 && (st.st_mode & 07777) == 0750);
  victim_join(child);
  put("/sys/fs/cgroup/pids/cgroup.procs", "0");
  rmdir(PIDS "/a");
  rmdir(PIDS);
  rmdir(UNIFIED);
  return victim_done();
}
