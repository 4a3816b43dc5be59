// flavours: root rootns rootleave
// A tree with a root directory of its own keeps all of its mounts: bind mounts of directories and of a file, a tmpfs
// with files and one that is read-only, a second proc, an overlay, what covers another mount, and how mounts propagate.
#include <sys/mount.h>

#include "victim.h"

static char mounts[2][32768];

static int compare_lines(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

// What must come back of /proc/self/mountinfo, sorted: no ids, no device numbers, only whether a mount is in a group.
static char* read_mounts(char* out) {
  static char text[65536], *lines[256];
  size_t count = 0;
  strcpy(text, victim_slurp("/proc/self/mountinfo"));
  for (char* line = strtok(text, "\n"); line && count < 256; line = strtok(NULL, "\n")) {
    char root[512], at[512], options[256], *dash = strstr(line, " - ");
    MUST(dash && sscanf(line, "%*d %*d %*s %511s %511s %255s", root, at, options) == 3);
    MUST(asprintf(&lines[count++], "%s of %s %s%s%s%s", at, root, options, strstr(line, " shared:") ? " shared" : "",
                  strstr(line, " master:") ? " slave" : "", dash) > 0);
  }
  qsort(lines, count, sizeof *lines, compare_lines);
  *out = 0;
  for (size_t i = 0; i < count; i++) {
    strcat(strcat(out, lines[i]), "\n");
    free(lines[i]);
  }
  return out;
}

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT, 0640);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

static void make_mounts(void) {
  static const char* const kDirectories[] = {"/mnt/dir",   "/mnt/dir/sub", "/mnt/dir/own", "/mnt/bound", "/mnt/peer",
                                             "/mnt/slave", "/mnt/proc",    "/mnt/ro",      "/mnt/lower", "/mnt/upper",
                                             "/mnt/work",  "/mnt/merged",  "/mnt/covered"};
  MUST(mkdir("/mnt", 0755) == 0 || errno == EEXIST);
  MUST(mount("own", "/mnt", "tmpfs", MS_NOSUID, "size=4m,mode=711") == 0);
  for (size_t i = 0; i < sizeof kDirectories / sizeof *kDirectories; i++) MUST(mkdir(kDirectories[i], 0755) == 0);
  put("/mnt/file", "a file");
  put("/mnt/place", "");
  MUST(mount("/mnt/file", "/mnt/place", NULL, MS_BIND, NULL) == 0);
  MUST(mount("/mnt/dir", "/mnt/bound", NULL, MS_BIND, NULL) == 0);
  MUST(mount(NULL, "/mnt/bound", NULL, MS_SHARED, NULL) == 0);
  MUST(mount("/mnt/bound", "/mnt/peer", NULL, MS_BIND, NULL) == 0);
  MUST(mount("/mnt/bound", "/mnt/slave", NULL, MS_BIND, NULL) == 0);
  MUST(mount(NULL, "/mnt/slave", NULL, MS_SLAVE, NULL) == 0);
  MUST(mount("second", "/mnt/proc", "proc", MS_NOEXEC, NULL) == 0);
  MUST(mount("small", "/mnt/ro", "tmpfs", 0, "size=1m") == 0);
  put("/mnt/ro/kept", "kept");
  MUST(mount(NULL, "/mnt/ro", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
  put("/mnt/lower/seen", "from below");
  MUST(mount("layers", "/mnt/merged", "overlay", 0, "lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work") == 0);
  put("/mnt/merged/new", "from above");
  MUST(unlink("/mnt/merged/seen") == 0);
  MUST(mount("/mnt/lower", "/mnt/covered", NULL, MS_BIND, NULL) == 0);
  MUST(mount("/mnt/upper", "/mnt/covered", NULL, MS_BIND, NULL) == 0);
}

static bool is_mount_point(const char* path) {
  char wanted[256];
  snprintf(wanted, sizeof wanted, " %s ", path);
  return strstr(victim_slurp("/proc/self/mountinfo"), wanted) != NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  make_mounts();
  int fd = open("/mnt/merged/new", O_RDWR), meminfo = open("/proc/meminfo", O_RDONLY);
  MUST(fd >= 0 && lseek(fd, 5, SEEK_SET) == 5 && meminfo >= 0);
  read_mounts(mounts[0]);

  victim_ready();

  char text[64] = "";
  CHECK(strcmp(mounts[0], read_mounts(mounts[1])) == 0, "%.400s | %.400s", mounts[0], mounts[1]);
  CHECK(read(fd, text, sizeof text) == 5 && strcmp(text, "above") == 0, "%s", text);
  CHECK(read(meminfo, text, 8) == 8 && memcmp(text, "MemTotal", 8) == 0);
  CHECK(strcmp(victim_slurp("/mnt/place"), "a file") == 0);
  CHECK(strcmp(victim_slurp("/mnt/ro/kept"), "kept") == 0);
  CHECK(open("/mnt/ro/more", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
  CHECK(access("/mnt/merged/seen", F_OK) < 0 && access("/mnt/lower/seen", F_OK) == 0);
  CHECK(readlink("/mnt/proc/self", text, sizeof text) == 1 && text[0] == '1');
  CHECK(mount("reaches", "/mnt/peer/sub", "tmpfs", 0, NULL) == 0);
  CHECK(is_mount_point("/mnt/bound/sub") && is_mount_point("/mnt/slave/sub") && !is_mount_point("/mnt/dir/sub"));
  CHECK(mount("stays", "/mnt/slave/own", "tmpfs", 0, NULL) == 0);
  CHECK(!is_mount_point("/mnt/bound/own"));
  return victim_done();
}
