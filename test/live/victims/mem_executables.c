// Programs whose file is not what it was: removed, replaced by another one, in /dev/shm, a memfd; each runs a copy of
// this program, which knows its role from its arguments.
// ignore: maps$
// ignore: taskstate \d+ (map|exe)$
// ignore: pid \d+ exe$
#include "victim.h"

static void copy(const char* to, int fd) {
  int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
      out = to ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755) : fd;
  MUST(in >= 0 && out >= 0);
  static char buffer[65536];
  for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;) MUST(write(out, buffer, (size_t)n) == n);
  close(in);
  if (to) close(out);
}

static int role(char** argv) {
  strcpy(victim_dir, argv[1]);
  char path[300];
  struct stat before, now;
  MUST(stat("/proc/self/exe", &before) == 0);
  snprintf(path, sizeof path, "role %s", argv[2]);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  MUST(fd >= 0 && close(fd) == 0);
  victim_wait();
  char after[256] = "";
  CHECK(readlink("/proc/self/exe", after, sizeof after - 1) > 0);
  const char* end = strcmp(argv[2], "shm") == 0 ? "" : " (deleted)";
  const char* expected = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
  char tail[64];
  snprintf(tail, sizeof tail, "%s%s%s", strcmp(argv[2], "memfd") == 0 ? "/memfd:" : "/", expected, end);
  size_t n = strlen(after), m = strlen(tail);
  CHECK(n >= m && (strcmp(after + n - m, tail) == 0 || strcmp(argv[2], "replaced") == 0), "%s: %s is not %s", argv[2],
        after, tail);
  CHECK(stat("/proc/self/exe", &now) == 0 && now.st_size == before.st_size && now.st_mode == before.st_mode,
        "%s: mode %o size %lld, was %o %lld", argv[2], now.st_mode, (long long)now.st_size, before.st_mode,
        (long long)before.st_size);
  char magic[5] = "";
  fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && read(fd, magic, 4) == 4 && strcmp(magic, "\177ELF") == 0);
  victim_child_done();
  return 0;
}

enum { KINDS = 5 };
int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (argc > 2) return role(argv);
  char shm[64], shm_removed[64];
  snprintf(shm, sizeof shm, "/dev/shm/nsr-exe-%d", (int)getpid());
  snprintf(shm_removed, sizeof shm_removed, "/dev/shm/nsr-exe-%d-removed", (int)getpid());
  const char* name[KINDS] = {"removed", "replaced", shm, shm_removed, "memfd"};
  static const char* what[KINDS] = {"removed", "replaced", "shm", "shmremoved", "memfd"};
  pid_t child[KINDS];
  for (int i = 0; i < KINDS; i++) {
    int fd = -1;
    unlink(name[i]);
    if (i == 4) MUST((fd = memfd_create("memfd", MFD_CLOEXEC)) >= 0);
    copy(i == 4 ? NULL : name[i], fd);
    child[i] = fork();
    if (child[i] == 0) {
      char* args[] = {(char*)name[i], victim_dir, (char*)what[i], NULL};
      static char* none[] = {NULL};
      if (i == 4) fexecve(fd, args, none);
      execv(name[i], args);
      _exit(98);
    }
    if (fd >= 0) close(fd);
    char path[64];
    snprintf(path, sizeof path, "role %s", what[i]);
    while (access(path, F_OK)) usleep(1000);
  }
  MUST(unlink(name[0]) == 0 && unlink(name[1]) == 0 && unlink(name[3]) == 0);
  int fd = open(name[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  MUST(fd >= 0 && write(fd, "#!/bin/sh\n", 10) == 10 && close(fd) == 0);

  victim_ready();

  for (int i = 0; i < KINDS; i++) victim_join(child[i]);
  unlink(name[2]);
  return victim_done();
}
