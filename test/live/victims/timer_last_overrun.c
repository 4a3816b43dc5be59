// timer_getoverrun(2) tells the count of the last signal that was taken, also after a restore.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  timer_t timer;
  siginfo_t info;
  MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  // the first expiry lies 7 intervals and some more back
  struct timespec now;
  MUST(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  struct itimerspec time = {{100, 0}, {now.tv_sec - 750, now.tv_nsec}};
  if (now.tv_sec < 800) victim_skip("the machine has run for less than 800 seconds");
  MUST(timer_settime(timer, TIMER_ABSTIME, &time, NULL) == 0);
  MUST(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_overrun == 7);
  victim_ready();
  CHECK_EQ(timer_getoverrun(timer), 7);
  struct itimerspec left;
  CHECK(timer_gettime(timer, &left) == 0);
  CHECK(left.it_value.tv_sec >= 30 && left.it_value.tv_sec < 50, "%ld s left", left.it_value.tv_sec);
  CHECK_EQ(left.it_interval.tv_sec, 100);
  struct timespec none = {0, 0};
  CHECK_EQ(sigtimedwait(&set, &info, &none), -1);
  return victim_done();
}
