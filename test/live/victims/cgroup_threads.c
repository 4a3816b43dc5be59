// A thread in other cgroups than its process, v1 and threaded v2, which are gone when the tree is restored; and a
// property that is saved because --cgroup-props names it.
// restore: --action-script @SOURCE@/tools/remove_cgroups.sh
// dump: --cgroup-props "cgroup2:\n- strategy: merge\n- properties: [cgroup.freeze]\npids:\n- strategy: replace"
#include "cgroup.h"

static bool shows(const char* path, const char* text) { return strstr(victim_slurp(path), text) != NULL; }

static atomic_int started;

static void* work(void* argument) {
  cgroup_put(cgroup_path("pids", "/tasks"), "0");
  cgroup_put(cgroup_path("unified", "/t/cgroup.threads"), "0");
  started = 1;
  victim_wait();
  CHECK(cgroup_inside("pids", "pids", ""));
  CHECK(cgroup_inside("", "unified", "/t"));
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  cgroup_make("pids", "", 0755);
  cgroup_make("unified", "", 0755);
  cgroup_make("unified", "/t", 0755);
  cgroup_put(cgroup_path("unified", "/cgroup.procs"), "0");
  cgroup_put(cgroup_path("unified", "/t/cgroup.type"), "threaded");
  cgroup_put(cgroup_path("pids", "/pids.max"), "66");
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  CHECK(shows("/proc/thread-self/cgroup", "pids:/\n"));
  CHECK(cgroup_inside("", "unified", ""));
  CHECK(shows(cgroup_path("unified", "/t/cgroup.type"), "threaded"));
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  cgroup_put("/sys/fs/cgroup/unified/cgroup.procs", "0");
  cgroup_remove("unified", "/t");
  cgroup_remove("unified", "");
  cgroup_remove("pids", "");
  return victim_done();
}
