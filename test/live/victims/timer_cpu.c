// CPU clocks of the process and its threads do not have to survive, timers on them do; CLOCK_MONOTONIC never goes back.
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
  timer_t timer;
  MUST(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0);
  struct itimerspec time = {{0, 0}, {0, 200000000}}, now;
  MUST(timer_settime(timer, 0, &time, NULL) == 0);
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  double wall = victim_now(CLOCK_REALTIME), boot = victim_now(CLOCK_BOOTTIME);
  victim_ready();
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(after.tv_sec > before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec >= before.tv_nsec));
  CHECK(victim_now(CLOCK_BOOTTIME) >= boot);
  CHECK(victim_now(CLOCK_REALTIME) >= wall);
  CHECK(timer_gettime(timer, &now) == 0);
  CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 200000000, "%ld ns left",
        now.it_value.tv_nsec);
  struct timespec limit = {0, 0};
  siginfo_t info = {0};
  double end = victim_now(CLOCK_MONOTONIC) + 10;
  while (sigtimedwait(&set, &info, &limit) < 0 && victim_now(CLOCK_MONOTONIC) < end)
    for (volatile int k = 0; k < 100000; k++) {
    }
  CHECK_EQ(info.si_code, SI_TIMER);
  return victim_done();
}
