// Several POSIX timers with the same signal, all pending: which they are, their order and missed expiries; two also
// with SIGALRM, which others can queue only once.
// ignore: status SigPnd|status ShdPnd
// rounds: 2
#include "timers.h"

enum { REAL_TIME = 3, ALARMS = 2, PAST = 450 };

// Has just missed the expiries of PAST seconds; the next one is as far away.
static int expired(int signo, int value, long interval) {
  int id = timer_make(CLOCK_REALTIME, signo, value, 0);
  MUST(id >= 0);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct itimerspec time = {{interval, 0}, {now.tv_sec - PAST, now.tv_nsec}};
  sigset_t pending;
  MUST(syscall(SYS_timer_settime, id, TIMER_ABSTIME, &time, NULL) == 0);
  do MUST(sigpending(&pending) == 0);
  while (!sigismember(&pending, signo));
  return id;
}

static void verify(int signo, int id, int value, long interval, bool counts) {
  siginfo_t info;
  CHECK_EQ(signal_take(signo, &info), signo);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(info.si_timerid, id);
  CHECK_EQ(info.si_value.sival_int, value);
  if (counts) CHECK_EQ(info.si_overrun, PAST / interval);
  struct itimerspec left;
  CHECK(syscall(SYS_timer_gettime, id, &left) == 0 && left.it_interval.tv_sec == interval);
  CHECK(left.it_value.tv_sec >= interval - 60 && left.it_value.tv_sec <= interval, "%ld s", left.it_value.tv_sec);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t all;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  static const long intervals[] = {150, 90, 225};
  int timer[REAL_TIME], alarms[ALARMS];
  for (int i = 0; i < REAL_TIME; i++) timer[i] = expired(SIGRTMIN + 3, 10 + i, intervals[i]);
  for (int i = 0; i < ALARMS; i++) alarms[i] = expired(SIGALRM, 20 + i, intervals[i]);

  victim_ready();

  siginfo_t info;
  for (int i = 0; i < REAL_TIME; i++) verify(SIGRTMIN + 3, timer[i], 10 + i, intervals[i], true);
  for (int i = 0; i < ALARMS; i++) verify(SIGALRM, alarms[i], 20 + i, intervals[i], false);
  CHECK_EQ(signal_take(SIGRTMIN + 3, &info), -1);
  CHECK_EQ(signal_take(SIGALRM, &info), -1);
  timer_set(timer[1], (struct timespec){0, 1}, (struct timespec){0, 0});
  CHECK_EQ(signal_await(SIGRTMIN + 3, &info, (struct timespec){5, 0}), SIGRTMIN + 3);
  CHECK_EQ(info.si_timerid, timer[1]);
  return victim_done();
}
