// Signal owners of open files of all kinds: process, group and thread, set by another user, F_SETSIG alone, O_ASYNC on
// sockets, pipes, terminals and FIFOs; the signals come afterwards, and go to whom they went.
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "victim.h"

struct owner {
  int type, pid;
};

static void check_owner(int fd, int type, pid_t pid, int sig) {
  struct f_owner_ex ex;
  CHECK(fcntl(fd, F_GETOWN_EX, &ex) == 0);
  CHECK(ex.type == (unsigned)type && ex.pid == pid, "fd %d: type %d pid %d", fd, ex.type, ex.pid);
  CHECK_EQ(fcntl(fd, F_GETSIG), sig);
}

static void set_owner(int fd, int type, pid_t pid, int sig) {
  struct f_owner_ex ex = {type, pid};
  MUST(fcntl(fd, F_SETOWN_EX, &ex) == 0 && fcntl(fd, F_SETSIG, sig) == 0);
}

static void check_signal(int sig, int fd) {
  sigset_t set;
  siginfo_t info;
  struct timespec limit = {5, 0};
  sigemptyset(&set);
  sigaddset(&set, sig);
  CHECK(sigtimedwait(&set, &info, &limit) == sig, "no signal %d", sig);
  CHECK(sig < SIGRTMIN || info.si_fd == fd, "signal %d of descriptor %d", sig, info.si_fd);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  for (int s = SIGRTMIN + 1; s < SIGRTMIN + 6; s++) sigaddset(&set, s);
  MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  int ends[2], pair[2], on = 1;
  MUST(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && mkfifo("fifo", 0600) == 0);
  int fifo = open("fifo", O_RDWR), file = open("file", O_RDWR | O_CREAT, 0600), udp = socket(AF_INET, SOCK_DGRAM, 0);
  MUST(fifo >= 0 && file >= 0 && udp >= 0);
  set_owner(ends[0], F_OWNER_PID, getpid(), SIGRTMIN + 1);
  set_owner(pair[0], F_OWNER_TID, victim_tid(), SIGRTMIN + 2);
  set_owner(fifo, F_OWNER_PGRP, getpgrp(), SIGRTMIN + 3);
  MUST(fcntl(file, F_SETSIG, SIGRTMIN + 4) == 0);
  MUST(fcntl(udp, F_SETOWN, -getpgrp()) == 0 && ioctl(udp, FIOASYNC, &on) == 0);
  for (int i = 0; i < 3; i++) {
    int fd = (int[]){ends[0], pair[0], fifo}[i];
    MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0);
  }
  pid_t child = fork();
  if (child == 0) {
    MUST(setresuid(1, 2, 2) == 0);
    int mine[2];
    MUST(pipe(mine) == 0);
    set_owner(mine[0], F_OWNER_PID, getpid(), 0);
    MUST(fcntl(mine[0], F_SETFL, O_ASYNC) == 0);
    victim_wait();
    check_owner(mine[0], F_OWNER_PID, getpid(), 0);
    uid_t uids[2] = {0, 0};
    CHECK(fcntl(mine[0], 17 /* F_GETOWNER_UIDS */, uids) == 0 && uids[0] == 1 && uids[1] == 2);
    CHECK(write(mine[1], "x", 1) == 1);
    check_signal(SIGIO, mine[0]);
    victim_child_done();
  }
  victim_ready();
  check_owner(ends[0], F_OWNER_PID, getpid(), SIGRTMIN + 1);
  check_owner(pair[0], F_OWNER_TID, victim_tid(), SIGRTMIN + 2);
  check_owner(fifo, F_OWNER_PGRP, getpgrp(), SIGRTMIN + 3);
  check_owner(udp, F_OWNER_PGRP, getpgrp(), 0);
  CHECK_EQ(fcntl(file, F_GETSIG), SIGRTMIN + 4);
  CHECK(fcntl(ends[0], F_GETFL) & O_ASYNC && fcntl(udp, F_GETFL) & O_ASYNC && !(fcntl(ends[1], F_GETFL) & O_ASYNC));
  CHECK(write(ends[1], "x", 1) == 1);
  check_signal(SIGRTMIN + 1, ends[0]);
  CHECK(write(pair[1], "x", 1) == 1);
  check_signal(SIGRTMIN + 2, pair[0]);
  victim_join(child);
  CHECK(write(fifo, "x", 1) == 1);
  check_signal(SIGRTMIN + 3, fifo);
  return victim_done();
}
