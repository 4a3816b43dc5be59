// pidfd: of itself, of a child (watched by epoll), of one that has ended and was waited for.
#include <poll.h>
#include <sys/epoll.h>

#include "victim.h"

static int ready(int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t ended = fork();
  if (ended == 0) _exit(0);
  int dead = (int)syscall(SYS_pidfd_open, ended, 0), self = (int)syscall(SYS_pidfd_open, getpid(), O_NONBLOCK);
  MUST(dead >= 0 && self >= 0 && waitpid(ended, NULL, 0) == ended);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    _exit(7);
  }
  int living = (int)syscall(SYS_pidfd_open, child, 0), copy = dup(living), epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 99};
  MUST(living >= 0 && copy >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, living, &event) == 0);

  victim_ready();

  CHECK(syscall(SYS_pidfd_send_signal, dead, 0, NULL, 0) < 0 && errno == ESRCH);
  CHECK(syscall(SYS_pidfd_send_signal, self, 0, NULL, 0) == 0 && ready(self) == 0);
  CHECK(fcntl(self, F_GETFL) & O_NONBLOCK);
  CHECK(epoll_wait(epoll, &event, 1, 0) == 0 && ready(living) == 0);
  CHECK(syscall(SYS_pidfd_send_signal, living, VICTIM_GO, NULL, 0) == 0);
  CHECK(epoll_wait(epoll, &event, 1, -1) == 1 && event.data.u64 == 99);
  CHECK(ready(copy) == 1);
  siginfo_t info = {0};
  CHECK(waitid(P_PIDFD, (id_t)copy, &info, WEXITED) == 0 && info.si_pid == child && info.si_status == 7);
  return victim_done();
}
