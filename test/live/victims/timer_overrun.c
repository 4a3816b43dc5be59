// A timer that expired with its signal blocked: the signal stays pending, and its overrun count is not lost.
// ignore: status SigPnd|status ShdPnd
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  struct sigevent event = {0};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  event.sigev_value.sival_int = 31;
  timer_t timer;
  MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  double start = victim_now(CLOCK_MONOTONIC);
  struct itimerspec time = {{0, 1000000}, {0, 1000000}};
  MUST(timer_settime(timer, 0, &time, NULL) == 0);
  while (victim_now(CLOCK_MONOTONIC) < start + 0.05) sched_yield();
  victim_ready();
  siginfo_t info = {0};
  struct timespec limit = {5, 0};
  CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGUSR1);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(info.si_value.sival_int, 31);
  int overrun = timer_getoverrun(timer);
  // 49 expiries before the dump; those of the time away need not be counted
  CHECK(overrun >= 45, "overrun %d", overrun);
  CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGUSR1);
  return victim_done();
}
