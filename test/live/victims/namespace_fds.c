// Descriptors of the namespaces that the tree lives in.
#include "victim.h"

int main(int argc, char** argv) {
  static const char* const names[] = {"net", "uts", "ipc", "user", "mnt", "pid", "cgroup"};
  enum { NAMES = sizeof names / sizeof names[0] };
  victim_init(argc, argv);
  int fds[NAMES];
  char path[64];
  for (int i = 0; i < NAMES; i++) {
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    MUST((fds[i] = open(path, O_RDONLY)) >= 0);
  }

  victim_ready();

  for (int i = 0; i < NAMES; i++) {
    struct stat by_fd, by_name;
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    CHECK(fstat(fds[i], &by_fd) == 0 && stat(path, &by_name) == 0);
    CHECK(by_fd.st_ino == by_name.st_ino, "%s", names[i]);
  }
  return victim_done();
}
