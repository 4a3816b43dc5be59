// What victims about timers share: making one by system call, using CPU time.
#ifndef NSR_TEST_LIVE_TIMERS_H
#define NSR_TEST_LIVE_TIMERS_H

#include "signals.h"

// -1 where the kernel has no such clock. tid: the thread that is told, 0 for the process.
VICTIM_UNUSED static int timer_make(clockid_t clock, int signo, int value, pid_t tid) {
  struct sigevent event = {.sigev_notify = tid ? SIGEV_THREAD_ID : SIGEV_SIGNAL, .sigev_signo = signo};
  event.sigev_value.sival_int = value;
  event._sigev_un._tid = tid;
  int id;
  return syscall(SYS_timer_create, clock, &event, &id) == 0 ? id : -1;
}

VICTIM_UNUSED static void timer_set(int id, struct timespec first, struct timespec interval) {
  struct itimerspec time = {interval, first};
  MUST(syscall(SYS_timer_settime, id, 0, &time, NULL) == 0);
}

VICTIM_UNUSED static void timer_burn(double seconds) {
  for (double end = victim_now(CLOCK_THREAD_CPUTIME_ID) + seconds; victim_now(CLOCK_THREAD_CPUTIME_ID) < end;) {
  }
}

#endif
