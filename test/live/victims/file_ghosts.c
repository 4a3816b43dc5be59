// Deleted files in many guises: opened in every mode, by several processes, renamed before, replaced after, of odd
// names, linked and unlinked twice, a symbolic link, a device, a sparse file of several GiB, and files on tmpfs.
// ignore: fd 10$
#include <sys/sysmacros.h>

#include "victim.h"

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static int open_deleted(const char* path, int flags, const char* text) {
  put(path, text);
  int fd = open(path, flags);
  MUST(fd >= 0 && unlink(path) == 0);
  return fd;
}

static void check_text(int fd, const char* text) {
  char seen[64] = "";
  CHECK_EQ(pread(fd, seen, sizeof seen - 1, 0), strlen(text));
  CHECK(strcmp(seen, text) == 0, "%s, not %s", seen, text);
}

static void check_links(int fd, long links) {
  struct stat st;
  CHECK(fstat(fd, &st) == 0);
  CHECK_EQ(st.st_nlink, links);
}

static void check_sparse(int fd) {
  struct stat st;
  char seen[8] = "";
  CHECK(fstat(fd, &st) == 0);
  CHECK_EQ(st.st_size, (5ll << 30) + 4);
  CHECK(st.st_blocks < 2048, "%ld blocks", (long)st.st_blocks);
  CHECK(pread(fd, seen, 4, 3ll << 30) == 4 && strcmp(seen, "midd") == 0);
  CHECK(pread(fd, seen, 4, 5ll << 30) == 4 && strcmp(seen, "last") == 0);
  CHECK_EQ(lseek(fd, 0, SEEK_DATA), 3ll << 30);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int reader = open_deleted("reader", O_RDONLY, "only read"),
      both = open_deleted("both", O_RDWR | O_APPEND, "appended"),
      writer = open_deleted("writer", O_WRONLY, "only written"), path = open_deleted("path", O_PATH, "looked at"),
      odd = open_deleted("odd \\ \n\t name (deleted)", O_RDONLY, "odd"),
      direct = open_deleted("direct", O_RDWR | O_DIRECT | O_SYNC, "direct");
  MUST(ftruncate(direct, 4096) == 0);
  put("before", "renamed");
  int renamed = open("before", O_RDWR);
  MUST(renamed >= 0 && rename("before", "after") == 0 && unlink("after") == 0);
  int replaced = open_deleted("replaced", O_RDWR, "the old one");
  put("replaced", "the new one");
  put("first", "two names");
  MUST(link("first", "second") == 0);
  int first = open("first", O_RDONLY), second = open("second", O_RDONLY);
  MUST(first >= 0 && second >= 0 && unlink("first") == 0 && unlink("second") == 0);
  MUST(symlink("where it leads", "symlink") == 0);
  int symbolic = open("symlink", O_PATH | O_NOFOLLOW);
  MUST(symbolic >= 0 && unlink("symlink") == 0);
  MUST(mknod("null", S_IFCHR | 0666, makedev(1, 3)) == 0);
  int device = open("null", O_RDWR);
  MUST(device >= 0 && unlink("null") == 0);
  int sparse = open_deleted("sparse", O_RDWR, "");
  MUST(pwrite(sparse, "midd", 4, 3ll << 30) == 4 && pwrite(sparse, "last", 4, 5ll << 30) == 4);
  char shm[64];
  snprintf(shm, sizeof shm, "/dev/shm/ghosts.%d", getpid());
  int tmpfs = open_deleted(shm, O_RDWR, "on tmpfs");
  int hole_only = open_deleted("hole", O_RDWR, "");
  MUST(ftruncate(hole_only, 1 << 20) == 0);
  int empty = open_deleted("empty", O_RDWR, "");
  MUST(fchmod(empty, 04711) == 0 && fchown(empty, 12, 34) == 0 && fchmod(empty, 04711) == 0);
  pid_t child = fork();
  if (child == 0) {
    // another description of the same nameless file
    int again = open("/proc/self/fd/3", O_RDONLY);
    MUST(reader == 3 && again >= 0);
    victim_wait();
    check_text(again, "only read");
    CHECK(pread(both, (char[1]){0}, 1, 0) == 1);
    CHECK(write(both, "+", 1) == 1);
    victim_child_done();
  }
  victim_ready();
  victim_join(child);
  check_text(reader, "only read");
  check_text(both, "appended+");
  CHECK(pwrite(writer, "ONLY", 4, 0) == 4 && read(writer, (char[1]){0}, 1) < 0);
  check_links(path, 0);
  check_text(odd, "odd");
  check_links(direct, 0);
  check_text(renamed, "renamed");
  check_text(replaced, "the old one");
  int now = open("replaced", O_RDONLY);
  check_text(now, "the new one");
  check_text(first, "two names");
  check_text(second, "two names");
  check_links(first, 0);
  struct stat a, b;
  CHECK(fstat(first, &a) == 0 && fstat(second, &b) == 0 && a.st_ino == b.st_ino);
  char target[64] = "";
  CHECK(readlinkat(symbolic, "", target, sizeof target - 1) == 14 && strcmp(target, "where it leads") == 0);
  CHECK(fstat(device, &a) == 0 && S_ISCHR(a.st_mode) && a.st_rdev == makedev(1, 3) && a.st_nlink == 0);
  check_sparse(sparse);
  check_text(tmpfs, "on tmpfs");
  CHECK(fstat(hole_only, &a) == 0 && a.st_size == 1 << 20 && a.st_blocks == 0);
  CHECK(fstat(empty, &a) == 0 && a.st_size == 0 && a.st_mode == (S_IFREG | 04711) && a.st_uid == 12 && a.st_gid == 34);
  CHECK(access("first", F_OK) < 0 && access("sparse", F_OK) < 0 && access(shm, F_OK) < 0);
  return victim_done();
}
