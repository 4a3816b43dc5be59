// flavours: own ownns ownleave root rootns user userns
// A tree in a mount namespace of its own keeps what it mounted and unmounted there: a tmpfs with files, one of them
// open, a bind mount of a part of it, a read-only bind mount, an overlay, an mqueue file system; and /proc is that of
// its pid namespace.
#include <sys/mount.h>
#include <sys/statfs.h>

#include "victim.h"

static char path[PATH_MAX + 64];

static const char* at(const char* name) {
  snprintf(path, sizeof path, "%s/%s", victim_dir, name);
  return path;
}

static void put(const char* name, const char* text) {
  int fd = open(at(name), O_WRONLY | O_CREAT, 0640);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(mkdir(at("tmp"), 0755) == 0 && mkdir(at("from"), 0755) == 0 && mkdir(at("bound"), 0755) == 0);
  MUST(mkdir(at("queues"), 0755) == 0);
  MUST(mount("own", at("tmp"), "tmpfs", MS_NOSUID, "size=1m,mode=1700") == 0);
  put("tmp/kept", "content of a file");
  MUST(mkdir(at("tmp/dir"), 0711) == 0 && chown(at("tmp/dir"), 12, 34) == 0);
  int fd = open(at("tmp/kept"), O_RDWR);
  MUST(fd >= 0 && lseek(fd, 8, SEEK_SET) == 8);
  put("from/file", "bound file");
  char from[PATH_MAX + 64];
  snprintf(from, sizeof from, "%s/from", victim_dir);
  MUST(mount(from, at("bound"), NULL, MS_BIND, NULL) == 0);
  MUST(mount(NULL, at("bound"), NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
  MUST(mount("mqueue", at("queues"), "mqueue", 0, NULL) == 0);
  MUST(mkdir(at("part"), 0755) == 0 && mkdir(at("merged"), 0755) == 0);
  MUST(mkdir(at("tmp/up"), 0755) == 0 && mkdir(at("tmp/work"), 0755) == 0);
  snprintf(from, sizeof from, "%s/tmp/dir", victim_dir);
  MUST(mount(from, at("part"), NULL, MS_BIND, NULL) == 0);
  char layers[3 * sizeof path];
  snprintf(layers, sizeof layers, "lowerdir=%1$s/from,upperdir=%1$s/tmp/up,workdir=%1$s/tmp/work", victim_dir);
  MUST(mount("layers", at("merged"), "overlay", 0, layers) == 0);
  put("merged/above", "from above");

  victim_ready();

  char text[64] = "";
  CHECK(read(fd, text, sizeof text) == 9 && strcmp(text, "of a file") == 0, "%s", text);
  struct statfs fs;
  CHECK(statfs(at("tmp"), &fs) == 0 && fs.f_type == 0x01021994 && fs.f_blocks * (unsigned long)fs.f_bsize == 1 << 20);
  struct stat st;
  CHECK(stat(at("tmp"), &st) == 0 && (st.st_mode & 07777) == 01700);
  CHECK(stat(at("tmp/dir"), &st) == 0 && (st.st_mode & 0777) == 0711 && st.st_uid == 12 && st.st_gid == 34);
  CHECK(access(at("bound/file"), R_OK) == 0);
  CHECK(open(at("bound/file"), O_RDWR) < 0 && errno == EROFS);
  CHECK(statfs(at("queues"), &fs) == 0 && fs.f_type == 0x19800202);
  CHECK(access(at("merged/file"), R_OK) == 0 && access(at("merged/above"), R_OK) == 0);
  CHECK(access(at("from/above"), F_OK) < 0 && access(at("tmp/up/above"), F_OK) == 0);
  put("part/through", "seen on both");
  CHECK(access(at("tmp/dir/through"), R_OK) == 0);
  CHECK(readlink("/proc/self", text, sizeof text) == 1 && text[0] == '1');
  umount(at("merged"));
  umount(at("part"));
  umount(at("tmp"));
  umount(at("bound"));
  umount(at("queues"));
  return victim_done();
}
