// A root directory like a container's: a directory that is bound on itself, some of the host's directories bound into
// it, file systems of its own for /proc, /sys, /dev (with /dev/pts, /dev/shm, /dev/mqueue), /tmp and /run.
#ifndef NSR_TEST_LIVE_NEW_ROOT_H
#define NSR_TEST_LIVE_NEW_ROOT_H

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MUST(condition)                                         \
  do {                                                          \
    if (!(condition)) {                                         \
      fprintf(stderr, "%s: %s\n", #condition, strerror(errno)); \
      _exit(99);                                                \
    }                                                           \
  } while (0)

static void make_directories(const char* path) {
  char part[PATH_MAX];
  for (const char* slash = path; (slash = strchr(slash + 1, '/')) != NULL;) {
    snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
    mkdir(part, 0755);
  }
  MUST(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static const char* in_root(const char* root, const char* path) {
  static char text[2 * PATH_MAX];
  snprintf(text, sizeof text, "%s%s", root, path);
  return text;
}

static void bind_in(const char* root, const char* path) {
  make_directories(in_root(root, path));
  MUST(mount(path, in_root(root, path), NULL, MS_BIND, NULL) == 0);
}

static void mount_in(const char* root, const char* path, const char* type, unsigned long flags, const char* options) {
  make_directories(in_root(root, path));
  MUST(mount(type, in_root(root, path), type, flags, options) == 0);
}

static void fill_dev(const char* root) {
  static const struct {
    const char* name;
    int major, minor;
  } kDevices[] = {{"null", 1, 3},    {"zero", 1, 5}, {"full", 1, 7},      {"random", 1, 8},
                  {"urandom", 1, 9}, {"tty", 5, 0},  {"net/tun", 10, 200}};
  mount_in(root, "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  make_directories(in_root(root, "/dev/net"));
  for (size_t i = 0; i < sizeof kDevices / sizeof *kDevices; i++) {
    char path[64];
    snprintf(path, sizeof path, "/dev/%s", kDevices[i].name);
    mode_t device = S_IFCHR | 0666;
    if (mknod(in_root(root, path), device, makedev(kDevices[i].major, kDevices[i].minor)) == 0) {
      MUST(chmod(in_root(root, path), 0666) == 0);
    } else {  // in a user namespace nobody makes devices
      MUST(errno == EPERM && mknod(in_root(root, path), S_IFREG | 0666, 0) == 0);
      MUST(mount(path, in_root(root, path), NULL, MS_BIND, NULL) == 0);
    }
  }
  mount_in(root, "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  MUST(symlink("pts/ptmx", in_root(root, "/dev/ptmx")) == 0);
  MUST(symlink("/proc/self/fd", in_root(root, "/dev/fd")) == 0);
  mount_in(root, "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
  mount_in(root, "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

// directory: of the run; program: what will be executed. Both have the same paths in the new root.
static void enter_new_root(const char* directory, const char* program) {
  char root[PATH_MAX], work[PATH_MAX], place[PATH_MAX];
  MUST(getcwd(work, sizeof work) != NULL);
  snprintf(root, sizeof root, "%s/root", directory);
  make_directories(root);
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
  MUST(mount(root, root, NULL, MS_BIND, NULL) == 0);
  bind_in(root, "/usr");
  bind_in(root, "/etc");
  static const char* const kLinks[] = {"/bin", "/lib", "/lib64", "/sbin"};
  for (int i = 0; i < 4; i++) {
    char target[PATH_MAX] = "";
    MUST(readlink(kLinks[i], target, sizeof target - 1) > 0 && symlink(target, in_root(root, kLinks[i])) == 0);
  }
  mount_in(root, "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_in(root, "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL);
  fill_dev(root);
  mount_in(root, "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=1g");
  mount_in(root, "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=65536k");
  make_directories(in_root(root, "/var/tmp"));
  snprintf(place, sizeof place, "%s", program);
  *strrchr(place, '/') = 0;
  bind_in(root, place);
  bind_in(root, directory);
  MUST(chdir(root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0);
  MUST(chdir(work) == 0);
}

#endif
