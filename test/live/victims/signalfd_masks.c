// signalfd: masks, and a pending signal that it reads.
#include <sys/signalfd.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t usr, other;
  sigemptyset(&usr), sigaddset(&usr, SIGUSR1), sigaddset(&usr, SIGRTMAX);
  sigemptyset(&other), sigaddset(&other, SIGUSR2);
  MUST(sigprocmask(SIG_BLOCK, &usr, NULL) == 0);
  int fd = signalfd(-1, &usr, SFD_NONBLOCK | SFD_CLOEXEC), quiet = signalfd(-1, &other, SFD_NONBLOCK);
  MUST(fd >= 0 && quiet >= 0);
  union sigval value = {.sival_int = 4711};
  MUST(sigqueue(getpid(), SIGRTMAX, value) == 0);

  victim_ready();

  struct signalfd_siginfo info;
  CHECK(read(quiet, &info, sizeof info) < 0 && errno == EAGAIN);
  CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == (uint32_t)SIGRTMAX && info.ssi_int == 4711);
  CHECK(kill(getpid(), SIGUSR1) == 0 && read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
  return victim_done();
}
