// Cgroups of v1 and v2, another one for a child, that are gone when the tree is restored: they come back with their
// settings and members.
// restore: --action-script @SOURCE@/tools/remove_cgroups.sh
#include "cgroup.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  cgroup_make("pids", "", 0755);
  cgroup_make("pids", "/a", 0750);
  cgroup_make("unified", "", 0755);
  cgroup_put(cgroup_path("pids", "/a/pids.max"), "77");
  cgroup_put(cgroup_path("unified", "/cgroup.max.depth"), "5");
  cgroup_put(cgroup_path("pids", "/a/cgroup.procs"), "0");
  pid_t child = fork();
  if (child == 0) {
    cgroup_put(cgroup_path("unified", "/cgroup.procs"), "0");
    cgroup_put("/sys/fs/cgroup/pids/cgroup.procs", "0");
    victim_wait();
    CHECK(cgroup_inside("", "unified", ""));
    CHECK(strstr(victim_slurp("/proc/self/cgroup"), "pids:/\n") != NULL);
    cgroup_put("/sys/fs/cgroup/unified/cgroup.procs", "0");
    victim_child_done();
  }
  while (strstr(victim_slurp(cgroup_path("unified", "/cgroup.procs")), "\n") == NULL) sched_yield();
  victim_ready();
  CHECK(cgroup_inside("pids", "pids", "/a"));
  CHECK_EQ(atoi(victim_slurp(cgroup_path("pids", "/a/pids.max"))), 77);
  CHECK_EQ(atoi(victim_slurp(cgroup_path("unified", "/cgroup.max.depth"))), 5);
  struct stat st;
  CHECK(stat(cgroup_path("pids", "/a"), &st) == 0 && (st.st_mode & 07777) == 0750);
  victim_join(child);
  cgroup_put("/sys/fs/cgroup/pids/cgroup.procs", "0");
  cgroup_remove("pids", "/a");
  cgroup_remove("pids", "");
  cgroup_remove("unified", "");
  return victim_done();
}
