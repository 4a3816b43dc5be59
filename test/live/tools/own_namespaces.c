// own_namespaces KINDS PROGRAM DIRECTORY ...: starts a program as pid 1, and leader of a session, of fresh namespaces,
// with a /proc of its own, and prints its pid. It is a child of our caller. KINDS: letters of p(id) m(ount) i(pc) u(ts)
// n(et) U(ser, mapped in two ranges), and r: with DIRECTORY/root as its root directory (new_root.h).
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "new_root.h"

static void raise_loopback(void) {
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  MUST(s >= 0 && ioctl(s, SIOCSIFFLAGS, &lo) == 0);
  close(s);
}

static void write_text(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

// Users 0 to 999 and the rest lie apart outside.
static void map_users(long pid) {
  static const char kMap[] = "0 100000 1000\n1000 300000 64536\n";
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/uid_map", pid);
  write_text(path, kMap);
  snprintf(path, sizeof path, "/proc/%ld/gid_map", pid);
  write_text(path, kMap);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  uint64_t flags = 0;
  for (const char* k = argv[1]; *k; k++)
    flags |= *k == 'p'   ? CLONE_NEWPID
             : *k == 'm' ? CLONE_NEWNS
             : *k == 'i' ? CLONE_NEWIPC
             : *k == 'u' ? CLONE_NEWUTS
             : *k == 'U' ? CLONE_NEWUSER
             : *k == 'r' ? 0
                         : CLONE_NEWNET;
  int out[2], mapped[2];
  MUST(pipe(out) == 0 && pipe(mapped) == 0);
  struct clone_args args = {.flags = flags | CLONE_PARENT, .exit_signal = 0};
  long pid = syscall(SYS_clone3, &args, sizeof args);
  MUST(pid >= 0);
  if (pid > 0) {
    close(out[1]);
    if (flags & CLONE_NEWUSER) map_users(pid);
    close(mapped[1]);
    char failed;
    if (read(out[0], &failed, 1) != 0) return 1;
    printf("%ld\n", pid);
    return 0;
  }
  close(out[0]);
  close(mapped[1]);
  char none;
  MUST(read(mapped[0], &none, 1) == 0);
  if (flags & CLONE_NEWUSER) MUST(setgroups(0, NULL) == 0 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
  if (strchr(argv[1], 'r')) {
    enter_new_root(argv[3], argv[2]);
  } else if (flags & CLONE_NEWNS) {
    MUST(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0);
    if (flags & CLONE_NEWPID) MUST(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0);
  }
  if (flags & CLONE_NEWUTS) MUST(sethostname("victim-host", 11) == 0 && setdomainname("victim.domain", 13) == 0);
  if (flags & CLONE_NEWNET) raise_loopback();
  MUST(setsid() >= 0);
  // nothing of the runner's may be in the dump
  int null = open("/dev/null", 2);
  MUST(null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1);
  close(out[1]);
  MUST(dup2(null, 2) == 2);
  close_range(3, ~0u, 0);
  execv(argv[2], argv + 2);
  _exit(98);
}
