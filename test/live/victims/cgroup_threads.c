// A thread in other cgroups than its process, v1 and threaded v2, which are gone when the tree is restored; and a
// property that is saved because --cgroup-props names it.
// lock: cgroups
// restore: --action-script @SOURCE@/tools/remove_cgroups.sh
// dump: --cgroup-props "cgroup2:\n- strategy: merge\n- properties: [cgroup.freeze]\npids:\n- strategy: replace"
#include "victim.h"

#define PIDS "/sys/fs/cgroup/pids/nsr-live-cgroup-threads"
#define UNIFIED "/sys/fs/cgroup/unified/nsr-live-cgroup-threads"

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

static bool shows(const char* path, const char* text) { return strstr(victim_slurp(path), text) != NULL; }

static atomic_int started;

static void* work(void* argument) {
  put(PIDS "/tasks", "0");
  put(UNIFIED "/t/cgroup.threads", "0");
  started = 1;
  victim_wait();
  CHECK(shows("/proc/thread-self/cgroup", "pids:/nsr-live-cgroup-threads\n"));
  CHECK(shows("/proc/thread-self/cgroup", "0::/nsr-live-cgroup-threads/t\n"));
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (mkdir(PIDS, 0755) != 0 || mkdir(UNIFIED, 0755) != 0 || mkdir(UNIFIED "/t", 0755) != 0)
    victim_skip("no cgroups can be made here");
  put(UNIFIED "/cgroup.procs", "0");
  put(UNIFIED "/t/cgroup.type", "threaded");
  put(PIDS "/pids.max", "66");
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  CHECK(shows("/proc/thread-self/cgroup", "pids:/\n"));
  CHECK(shows("/proc/thread-self/cgroup", "0::/nsr-live-cgroup-threads\n"));
  CHECK(shows(UNIFIED "/t/cgroup.type", "threaded"));
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  put("/sys/fs/cgroup/unified/cgroup.procs", "0");
  rmdir(UNIFIED "/t");
  rmdir(UNIFIED);
  rmdir(PIDS);
  return victim_done();
}
