// Working directories that were deleted, also by several tasks and one below the other, a root directory that was
// deleted, and files in directories that are gone.
#include "victim.h"

static long links_of(const char* path) {
  struct stat st;
  return stat(path, &st) == 0 ? (long)st.st_nlink : -1;
}

static pid_t child_below(const char* where) {
  pid_t child = fork();
  if (child != 0) return child;
  MUST(chdir(where) == 0);
  victim_wait();
  CHECK_EQ(links_of("."), 0);
  CHECK(open("new", O_RDWR | O_CREAT, 0600) < 0 && errno == ENOENT);
  victim_child_done();
  return 0;
}

static pid_t child_in_root(const char* root) {
  int up[2];
  MUST(pipe(up) == 0);
  pid_t child = fork();
  if (child != 0) {
    close(up[1]);
    MUST(read(up[0], (char[1]){0}, 1) == 0 && close(up[0]) == 0);
    return child;
  }
  MUST(chroot(root) == 0 && chdir("/") == 0 && close(up[0]) == 0 && close(up[1]) == 0);
  victim_wait();
  CHECK_EQ(links_of("/"), 0);
  CHECK(mkdir("/new", 0700) < 0 && errno == ENOENT);
  _exit(0);
}

static void wait_for_cwd(pid_t pid, const char* end) {
  char path[64], seen[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%d/cwd", pid);
  for (;;) {
    ssize_t n = readlink(path, seen, sizeof seen - 1);
    MUST(n > 0);
    seen[n] = 0;
    if (strstr(seen, end)) return;
    sched_yield();
  }
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(mkdir("one", 0700) == 0 && mkdir("one/two", 0755) == 0 && mkdir("one/two/three", 0700) == 0 &&
       mkdir("root", 0700) == 0);
  int file = open("one/two/three/file", O_RDWR | O_CREAT, 0600);
  MUST(file >= 0 && write(file, "still", 5) == 5);
  pid_t a = child_below("one/two"), b = child_below("one/two/three"), c = child_below("one"), d = child_in_root("root");
  wait_for_cwd(a, "one/two");
  wait_for_cwd(b, "three");
  wait_for_cwd(c, "one");
  int directory = open("one/two", O_RDONLY | O_DIRECTORY), path = open("one", O_PATH);
  MUST(directory >= 0 && path >= 0 && chdir("one/two/three") == 0);
  MUST(unlink("file") == 0 && rmdir("../three") == 0);
  char whole[PATH_MAX + 32];
  snprintf(whole, sizeof whole, "%s/cwd/one/two", victim_dir);
  MUST(rmdir(whole) == 0);
  snprintf(whole, sizeof whole, "%s/cwd/one", victim_dir);
  MUST(rmdir(whole) == 0);
  snprintf(whole, sizeof whole, "%s/cwd/root", victim_dir);
  MUST(rmdir(whole) == 0);
  victim_ready();
  victim_join(a);
  victim_join(b);
  victim_join(c);
  victim_join(d);
  CHECK_EQ(links_of("."), 0);
  char seen[8] = "";
  CHECK(pread(file, seen, 5, 0) == 5 && strcmp(seen, "still") == 0);
  CHECK(openat(directory, "new", O_RDWR | O_CREAT, 0600) < 0 && errno == ENOENT);
  struct stat st;
  CHECK(fstat(path, &st) == 0 && st.st_nlink == 0 && S_ISDIR(st.st_mode));
  snprintf(whole, sizeof whole, "%s/cwd/one", victim_dir);
  CHECK(access(whole, F_OK) < 0);
  return victim_done();
}
