// flavours: root rootns
// dump: --external mnt[/etc]:settings --skip-mnt /run
// restore: --ext-mount-map settings:/usr/share
// A mount of a tree with its own root that was named at the dump is bound from the place that the restore names;
// another that was to be left out is not there any more.
#include "victim.h"

static bool is_mount_point(const char* path) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, " %s ", path);
  return strstr(victim_slurp("/proc/self/mountinfo"), wanted) != NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(is_mount_point("/etc") && access("/etc/passwd", F_OK) == 0 && is_mount_point("/run"));

  victim_ready();

  CHECK(is_mount_point("/etc") && access("/etc/passwd", F_OK) < 0 && access("/etc/doc", F_OK) == 0);
  CHECK(!is_mount_point("/run") && access("/run", F_OK) == 0);
  return victim_done();
}
