// eventfd: semaphores, the largest count, shared by fork, blocking ones with a waiter. signalfd: pending signals of all
// kinds with their data, standard and real-time, for the process and for the thread, shared by fork.
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  uint64_t n = UINT64_MAX - 1, seen = 0;
  int semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK), full = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
      shared = eventfd(5, 0), again = open("/proc/self/fd/5", O_RDONLY);
  MUST(write(full, &n, 8) == 8 && shared == 5 && again < 0);
  sigset_t set;
  sigemptyset(&set);
  for (int s = SIGRTMIN; s < SIGRTMIN + 3; s++) sigaddset(&set, s);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGCHLD);
  MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  int fd = signalfd(-1, &set, SFD_NONBLOCK), all = signalfd(-1, &set, SFD_CLOEXEC);
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  int one = signalfd(-1, &set, SFD_NONBLOCK);
  MUST(signalfd(one, &set, 0) == one && all >= 0);
  pid_t ended = fork();
  if (ended == 0) _exit(7);
  siginfo_t info;
  MUST(waitid(P_PID, ended, &info, WEXITED | WNOWAIT) == 0);
  for (int i = 0; i < 3; i++) MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 100 + i}) == 0);
  MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 9}) == 0 && raise(SIGUSR1) == 0);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK(read(shared, &seen, 8) == 8 && seen == 5);
    struct signalfd_siginfo s;
    CHECK(kill(getpid(), SIGUSR1) == 0 && read(fd, &s, sizeof s) == sizeof s && s.ssi_signo == SIGUSR1);
    victim_child_done();
  }
  victim_ready();
  for (int i = 0; i < 3; i++) CHECK(read(semaphore, &seen, 8) == 8 && seen == 1);
  CHECK(read(semaphore, &seen, 8) < 0 && errno == EAGAIN);
  CHECK(write(full, &(uint64_t){1}, 8) < 0 && errno == EAGAIN && read(full, &seen, 8) == 8 && seen == n);
  struct signalfd_siginfo s;
  CHECK(read(one, &s, sizeof s) == sizeof s && s.ssi_int == 9 && s.ssi_code == SI_QUEUE &&
        s.ssi_pid == (unsigned)getpid());
  CHECK(read(one, &s, sizeof s) < 0 && errno == EAGAIN);
  CHECK(read(fd, &s, sizeof s) == sizeof s && s.ssi_signo == SIGUSR1 && s.ssi_code == SI_TKILL);
  CHECK(read(fd, &s, sizeof s) == sizeof s && s.ssi_signo == SIGCHLD && s.ssi_pid == (unsigned)ended &&
        s.ssi_status == 7);
  for (int i = 0; i < 3; i++) CHECK(read(fd, &s, sizeof s) == sizeof s && s.ssi_int == 100 + i);
  CHECK(read(fd, &s, sizeof s) < 0 && errno == EAGAIN);
  victim_join(child);
  CHECK(waitpid(ended, NULL, 0) == ended);
  return victim_done();
}
