// The label of a stack of AppArmor profiles, one of them in a policy namespace that the host has lost meanwhile.
// flavours: host ns
// dump: --action-script @SOURCE@/tools/remove_policy_namespace.sh
#include <sys/mount.h>

#include "victim.h"

static char space[PATH_MAX];  // directory of the policy namespace

// A stack of the host's and of that namespace's.
static void enter(const char* name) {
  char text[256];
  int n = snprintf(text, sizeof text, "changeprofile unconfined//&:%s:unconfined", name);
  int fd = open("/proc/self/attr/current", O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0 && write(fd, text, n) == n);
  close(fd);
}

// As who is outside of the namespace sees it.
static const char* label_of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/attr/current", pid);
  return victim_slurp(path);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (*victim_slurp("/sys/module/apparmor/parameters/enabled") != 'Y') victim_skip("the kernel has no AppArmor");
  if (access("/sys/kernel/security/apparmor", F_OK) != 0)
    MUST(mount("none", "/sys/kernel/security", "securityfs", 0, NULL) == 0);
  const char* name = strrchr(victim_dir, '/') + 1;
  snprintf(space, sizeof space, "/sys/kernel/security/apparmor/policy/namespaces/%s", name);
  MUST(mkdir(space, 0755) == 0 || errno == EEXIST);
  int made[2];
  MUST(pipe(made) == 0);
  pid_t child = fork();
  if (child == 0) {
    enter(name);
    MUST(write(made[1], "", 1) == 1 && close(made[0]) == 0 && close(made[1]) == 0);
    victim_wait();
    victim_child_done();
  }
  char byte, before[256];
  MUST(read(made[0], &byte, 1) == 1 && close(made[0]) == 0 && close(made[1]) == 0);
  snprintf(before, sizeof before, "%s", label_of(child));
  MUST(strstr(before, name));

  victim_ready();

  const char* after = label_of(child);
  CHECK(strcmp(after, before) == 0, "the label is %s after %s", after, before);
  CHECK(access(space, F_OK) == 0);
  victim_join(child);
  rmdir(space);
  return victim_done();
}
