// epoll that watches signalfds wakes for signals that come after the restore: level, edge and one-shot, nested, seen by
// a thread and by a child that has an epoll and a signalfd of its own.
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "victim.h"

static int watch(int epoll, int fd, uint32_t events) {
  struct epoll_event e = {.events = events, .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

/// The descriptor that is ready, -1 when none is. A signal that was sent is there at once.
static int ready(int epoll) {
  struct epoll_event e = {.data.fd = -1};
  return epoll_wait(epoll, &e, 1, 0) == 1 ? e.data.fd : -1;
}

static int signal_fd(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int taken(int fd, int number) {
  struct signalfd_siginfo s;
  return read(fd, &s, sizeof s) == sizeof s && s.ssi_signo == (unsigned)number;
}

static void* waiter(void* epoll) {
  struct epoll_event e;
  while (epoll_wait(*(int*)epoll, &e, 1, -1) < 0 && errno == EINTR) {
  }
  return (void*)(long)e.data.fd;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int level = signal_fd(SIGUSR1), edge = signal_fd(SIGUSR2), once = signal_fd(SIGHUP), seen = signal_fd(SIGWINCH);
  int epoll = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0), other = epoll_create1(0);
  MUST(watch(epoll, level, EPOLLIN) == 0 && watch(epoll, edge, EPOLLIN | EPOLLET) == 0);
  MUST(watch(epoll, once, EPOLLIN | EPOLLONESHOT) == 0);
  MUST(watch(outer, epoll, EPOLLIN) == 0 && watch(other, seen, EPOLLIN) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, waiter, &other) == 0);
  pid_t child = fork();
  if (child == 0) {
    int mine = epoll_create1(0), fd = signal_fd(SIGURG);
    MUST(watch(mine, fd, EPOLLIN) == 0);
    victim_wait();
    CHECK(ready(mine) == -1 && kill(getpid(), SIGURG) == 0);
    CHECK(ready(mine) == fd && taken(fd, SIGURG) && ready(mine) == -1);
    victim_child_done();
  }
  victim_ready();
  CHECK(ready(outer) == -1 && ready(epoll) == -1);
  CHECK(kill(getpid(), SIGUSR1) == 0 && ready(outer) == epoll && ready(epoll) == level);
  CHECK(taken(level, SIGUSR1) && ready(epoll) == -1);
  CHECK(kill(getpid(), SIGUSR2) == 0 && ready(epoll) == edge && ready(epoll) == -1 && taken(edge, SIGUSR2));
  CHECK(kill(getpid(), SIGHUP) == 0 && ready(epoll) == once && ready(epoll) == -1 && taken(once, SIGHUP));
  void* got;
  CHECK(kill(getpid(), SIGWINCH) == 0 && pthread_join(thread, &got) == 0 && (long)got == seen);
  victim_join(child);
  return victim_done();
}
