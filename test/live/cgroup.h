// Cgroups of a victim's own, below a name that no other run has.
#ifndef NSR_TEST_LIVE_CGROUP_H
#define NSR_TEST_LIVE_CGROUP_H
#include "victim.h"

// A path below the victim's cgroup of a hierarchy, "pids" or "unified"; valid until the fourth call after it.
static const char* cgroup_path(const char* hierarchy, const char* below) {
  static char paths[4][2 * PATH_MAX];
  static atomic_int next;
  char* path = paths[atomic_fetch_add(&next, 1) % 4];
  const char* run = strrchr(victim_dir, '/');
  snprintf(path, sizeof paths[0], "/sys/fs/cgroup/%s/nsr-%s%s", hierarchy, run ? run + 1 : victim_dir, below);
  return path;
}

static void cgroup_put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

// Whether this thread is in the victim's cgroup, or in one below it.
static bool cgroup_inside(const char* controllers, const char* hierarchy, const char* below) {
  char wanted[2 * PATH_MAX];
  snprintf(wanted, sizeof wanted, ":%s:%s\n", controllers,
           cgroup_path(hierarchy, below) + strlen("/sys/fs/cgroup/") + strlen(hierarchy));
  return strstr(victim_slurp("/proc/thread-self/cgroup"), wanted) != NULL;
}

// Makes them, the outer ones first.
static void cgroup_make(const char* hierarchy, const char* below, mode_t mode) {
  if (mkdir(cgroup_path(hierarchy, below), mode) != 0) victim_skip("no cgroups can be made here");
}

static void cgroup_remove(const char* hierarchy, const char* below) { rmdir(cgroup_path(hierarchy, below)); }
#endif
