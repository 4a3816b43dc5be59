// Pseudo-terminals in every state: locked, exclusive, a master alone, a slave whose master is gone, two pairs, a slave
// opened twice, a session in a chroot with its terminal and a foreground group that is not the leader's, non-blocking
// ends, a foreign owner of the slave.
// lock: terminals
#include <sys/ioctl.h>
#include <termios.h>

#include "victim.h"

struct pair {
  int master, slave, number;
};

static struct pair make_pair(int master_flags) {
  struct pair p;
  int unlocked = 0;
  char path[32];
  p.master = open("/dev/ptmx", O_RDWR | O_NOCTTY | master_flags);
  MUST(p.master >= 0 && ioctl(p.master, TIOCSPTLCK, &unlocked) == 0 && ioctl(p.master, TIOCGPTN, &p.number) == 0);
  snprintf(path, sizeof path, "/dev/pts/%d", p.number);
  p.slave = open(path, O_RDWR | O_NOCTTY);
  MUST(p.slave >= 0);
  return p;
}

static bool passes(int from, int to, const char* text) {
  char seen[64] = "";
  struct termios raw;
  tcgetattr(to, &raw);
  cfmakeraw(&raw);
  tcsetattr(to, TCSANOW, &raw);
  return write(from, text, strlen(text)) == (ssize_t)strlen(text) &&
         read(to, seen, sizeof seen - 1) == (ssize_t)strlen(text) && strcmp(seen, text) == 0;
}

static int flag_of(int fd, unsigned long request) {
  int value = -1;
  return ioctl(fd, request, &value) == 0 ? value : -1;
}

// The leader of a session in a chroot, its terminal's foreground group another one than its own.
static void session_leader(struct pair p, int ready) {
  MUST(mkdir("root", 0755) == 0 && chroot("root") == 0 && chdir("/") == 0);
  MUST(setsid() > 0 && ioctl(p.slave, TIOCSCTTY, 0) == 0);
  pid_t member = fork();
  if (member == 0) {
    MUST(setpgid(0, 0) == 0);
    victim_wait();
    _exit(tcgetpgrp(p.slave) == getpgrp() ? 0 : 1);
  }
  MUST(setpgid(member, member) == 0 || errno == EACCES);
  signal(SIGTTOU, SIG_IGN);
  MUST(tcsetpgrp(p.slave, member) == 0 && write(ready, "x", 1) == 1 && close(ready) == 0);
  victim_wait();
  bool right = tcgetsid(p.slave) == getpid() && tcgetpgrp(p.slave) == member;
  int status = -1;
  kill(member, VICTIM_GO);
  right &= waitpid(member, &status, 0) == member && status == 0;
  _exit(right ? 0 : 1);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct pair locked = make_pair(0), exclusive = make_pair(O_NONBLOCK), alone = make_pair(0), hung = make_pair(0),
              session = make_pair(0), owned = make_pair(0);
  int on = 1, ready[2];
  MUST(ioctl(locked.master, TIOCSPTLCK, &on) == 0 && ioctl(exclusive.slave, TIOCEXCL) == 0);
  MUST(close(alone.slave) == 0 && close(hung.master) == 0);
  MUST(fchown(owned.slave, 11, 5) == 0 && fchmod(owned.slave, 0620) == 0);
  int second = open("/proc/self/fd/14", O_RDONLY | O_NOCTTY | O_NONBLOCK);
  MUST(pipe(ready) == 0);
  pid_t leader = fork();
  if (leader == 0) session_leader(session, ready[1]);
  MUST(close(ready[1]) == 0 && read(ready[0], (char[1]){0}, 1) == 1);
  victim_ready();
  CHECK_EQ(flag_of(locked.master, TIOCGPTLCK), 1);
  CHECK_EQ(flag_of(exclusive.slave, TIOCGEXCL), 1);
  CHECK_EQ(flag_of(owned.slave, TIOCGEXCL), 0);
  CHECK_EQ(flag_of(alone.master, TIOCGPTN), alone.number);
  CHECK(read(hung.slave, (char[1]){0}, 1) == 0, "a slave without a master reads end of file");
  CHECK(write(hung.slave, "x", 1) < 0 && errno == EIO);
  CHECK(passes(locked.master, locked.slave, "through the locked one"));
  CHECK(passes(exclusive.slave, exclusive.master, "back"));
  CHECK(read(exclusive.master, (char[1]){0}, 1) < 0 && errno == EAGAIN);
  char path[32];
  snprintf(path, sizeof path, "/dev/pts/%d", alone.number);
  int again = open(path, O_RDWR | O_NOCTTY);
  CHECK(again >= 0 && passes(alone.master, again, "a new slave"));
  struct stat st;
  CHECK(fstat(owned.slave, &st) == 0 && st.st_uid == 11 && st.st_gid == 5 && st.st_mode == (S_IFCHR | 0620), "%o",
        st.st_mode);
  CHECK(second < 0 || fcntl(second, F_GETFL) & O_NONBLOCK);
  victim_join(leader);
  return victim_done();
}
