// Stands in for ns-engine in the tests of ns-restore: speaks its side of the launcher's protocol and makes a "restored"
// root from a shell command.
//
//   fake-engine restore --launcher-fd N [anything]
//
// Environment:
//   FAKE_ROOT      shell command that the root runs (default: exit 0)
//   FAKE_PID       the root's pid (default: the kernel's choice)
//   FAKE_OPTIONS   words: setsid (root gets a session), setpgid (root gets a group), stay (block without making a
//   root),
//                  noack (do not wait for the launcher), noroot (exit 0 without a root), orphan (leave a child of our
//                  own behind when failing), late (fail after the launcher's answer), null (stdio of the root is
//                  /dev/null)
//   FAKE_EXIT      fail with this code, after one sentence on stderr
//   FAKE_SIGNAL    die by this signal
//   FAKE_WAIT      open this FIFO for reading and wait for its end before the root is made
//   FAKE_DUMP      write argv, own pid, and open descriptors to this file
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int option(const char* word) {
  const char* all = getenv("FAKE_OPTIONS");
  size_t n = strlen(word);
  for (const char* at = all; at && (at = strstr(at, word)); at += n)
    if ((at == all || at[-1] == ' ') && (at[n] == 0 || at[n] == ' ')) return 1;
  return 0;
}

static int number(const char* name) {
  const char* text = getenv(name);
  return text ? atoi(text) : 0;
}

static void dump(int argc, char** argv) {
  FILE* out = fopen(getenv("FAKE_DUMP"), "we");
  if (!out) return;
  fprintf(out, "pid %d\n", getpid());
  for (int i = 1; i < argc; ++i) fprintf(out, "arg %s\n", argv[i]);
  DIR* fds = opendir("/proc/self/fd");
  struct dirent* entry;
  while (fds && (entry = readdir(fds)))
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(fds) && atoi(entry->d_name) != fileno(out))
      fprintf(out, "fd %s\n", entry->d_name);
  if (fds) closedir(fds);
  fclose(out);
}

static int fail(void) {
  if (option("orphan") && fork() == 0) {
    setsid();
    pause();
  }
  if (number("FAKE_SIGNAL")) kill(getpid(), number("FAKE_SIGNAL"));
  fprintf(stderr, "fake-engine: the images do not please me\n");
  return number("FAKE_EXIT");
}

static void run_root(int gate, int ready) {
  char byte;
  if (option("setsid")) setsid();
  if (option("setpgid")) setpgid(0, 0);
  close(ready);
  while (read(gate, &byte, 1) == 1) {
  }
  close(gate);
  if (option("null")) {
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
    if (null > 2) close(null);
  }
  const char* command = getenv("FAKE_ROOT");
  execl("/bin/sh", "sh", "-c", command ? command : "exit 0", (char*)NULL);
  _exit(127);
}

int main(int argc, char** argv) {
  int launcher = -1, root_is_init = 0;
  for (int i = 1; i < argc; ++i) {
    if (!strcmp(argv[i], "--launcher-fd") && i + 1 < argc) launcher = atoi(argv[++i]);
    if (!strcmp(argv[i], "--root-is-init")) root_is_init = 1;
  }
  if (getenv("FAKE_DUMP")) dump(argc, argv);
  if (option("stay")) {
    printf("engine ready\n");
    fflush(stdout);
    for (;;) pause();
  }
  if (getenv("FAKE_WAIT")) {
    int fifo = open(getenv("FAKE_WAIT"), O_RDONLY | O_CLOEXEC);
    char byte;
    while (read(fifo, &byte, 1) == 1) {
    }
    close(fifo);
  }
  int failing = number("FAKE_EXIT") || number("FAKE_SIGNAL");
  if (failing && !option("late")) return fail();
  if (option("noroot")) return 0;

  int gate[2], ready[2];
  if (pipe2(gate, O_CLOEXEC) || pipe2(ready, O_CLOEXEC)) return 120;
  int32_t want = number("FAKE_PID");
  struct clone_args args = {.flags = CLONE_PARENT | (root_is_init ? CLONE_NEWPID : 0), .exit_signal = 0};
  if (want) {
    args.set_tid = (uint64_t)&want;
    args.set_tid_size = 1;
  }
  int32_t root = (int32_t)syscall(SYS_clone3, &args, sizeof args);
  if (root < 0) {
    perror("fake-engine: clone3");
    return 121;
  }
  if (root == 0) {
    close(gate[1]);
    close(launcher);
    run_root(gate[0], ready[1]);
  }
  // As with the real engine, the root has its group before the launcher is told.
  char none;
  close(ready[1]);
  if (read(ready[0], &none, 1) != 0) return 124;
  if (write(launcher, &root, sizeof root) != sizeof root) return 122;
  char go;
  if (!option("noack") && read(launcher, &go, 1) != 1) return 123;
  if (failing) return fail();
  return 0;
}
