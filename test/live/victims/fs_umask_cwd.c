// umask and working directory, of the process and of a child; a relative path resolves to the same file.
#include "victim.h"

static void verify(const char* directory, mode_t mask, const char* name) {
  char now[PATH_MAX];
  struct stat st;
  CHECK(getcwd(now, sizeof now) && strcmp(now, directory) == 0, "cwd %s", now);
  int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0777);
  CHECK(fd >= 0 && fstat(fd, &st) == 0);
  CHECK_EQ(st.st_mode & 0777, 0777 & ~mask);
  close(fd);
  CHECK_EQ(umask(0), mask);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char root[PATH_MAX], below[PATH_MAX + 32];
  MUST(getcwd(root, sizeof root) && mkdir("a b", 0777) == 0 && mkdir("a b/c", 0777) == 0);
  snprintf(below, sizeof below, "%s/a b/c", root);
  umask(027);
  pid_t child = fork();
  if (child == 0) {
    MUST(chdir("a b/c") == 0);
    umask(0123);
    victim_wait();
    verify(below, 0123, "made by the child");
    victim_child_done();
  }
  victim_ready();
  verify(root, 027, "made by the parent");
  victim_join(child);
  return victim_done();
}
