// Signals of POSIX timers that are pending or were taken: of one shot, of a CPU clock, for one thread, of a timer that
// was set again, stopped or deleted since; each count of missed expiries, and that the timers go on afterwards.
// ignore: status SigPnd|status ShdPnd|taskstate \d+ (signals|thread)
// rounds: 2
#include "timers.h"

static int timer_of(clockid_t clock, int signo, int value, pid_t tid, long first_ns, long interval_ns) {
  int id = timer_make(clock, signo, value, tid);
  MUST(id >= 0);
  timer_set(id, (struct timespec){0, first_ns}, (struct timespec){0, interval_ns});
  return id;
}

static atomic_int worker_tid, worker_ready;

static void* work(void* argument) {
  siginfo_t info;
  worker_tid = victim_tid();
  while (!worker_ready) sched_yield();
  victim_wait();
  CHECK_EQ(signal_take(SIGRTMIN + 1, &info), SIGRTMIN + 1);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(info.si_value.sival_int, 1);
  CHECK(info.si_overrun >= 15, "overrun %d", info.si_overrun);
  CHECK_EQ(signal_await(SIGRTMIN + 1, &info, (struct timespec){5, 0}), SIGRTMIN + 1);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t all;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  siginfo_t info;
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!worker_tid) sched_yield();

  timer_of(CLOCK_MONOTONIC, SIGRTMIN + 1, 1, worker_tid, 1000000, 2000000);
  worker_ready = 1;
  int shot = timer_of(CLOCK_BOOTTIME, SIGRTMIN + 2, 2, 0, 1, 0);
  int cpu = timer_of(CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN + 3, 3, 0, 1000000, 2000000);
  int again = timer_of(CLOCK_MONOTONIC, SIGRTMIN + 4, 4, 0, 1, 0);
  int stopped = timer_of(CLOCK_MONOTONIC, SIGRTMIN + 5, 5, 0, 1, 0);
  int deleted = timer_of(CLOCK_MONOTONIC, SIGRTMIN + 6, 6, 0, 1, 0);
  int taken = timer_of(CLOCK_MONOTONIC, SIGRTMIN + 7, 7, 0, 1000000, 3000000);
  timer_burn(0.04);
  struct itimerspec late = {{0, 0}, {500, 0}}, off = {0}, now;
  MUST(syscall(SYS_timer_settime, again, 0, &late, NULL) == 0);
  MUST(syscall(SYS_timer_settime, stopped, 0, &off, NULL) == 0);
  MUST(syscall(SYS_timer_delete, deleted) == 0);
  MUST(signal_take(SIGRTMIN + 7, &info) == SIGRTMIN + 7);
  struct itimerspec rare = {{100, 0}, {0, 1}};
  MUST(syscall(SYS_timer_settime, taken, 0, &rare, NULL) == 0);
  MUST(signal_await(SIGRTMIN + 7, &info, (struct timespec){5, 0}) == SIGRTMIN + 7);
  bool drops = signal_take(SIGRTMIN + 4, &info) < 0;  // Linux 6.13: signals of a timer that was set since are dropped
  if (drops) syscall(SYS_timer_settime, again, 0, &late, NULL);

  victim_ready();

  CHECK_EQ(signal_take(SIGRTMIN + 2, &info), SIGRTMIN + 2);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(info.si_timerid, shot);
  CHECK_EQ(info.si_value.sival_int, 2);
  CHECK_EQ(info.si_overrun, 0);
  CHECK_EQ(signal_take(SIGRTMIN + 2, &info), -1);
  CHECK_EQ(signal_take(SIGRTMIN + 3, &info), SIGRTMIN + 3);
  CHECK_EQ(info.si_timerid, cpu);
  CHECK(info.si_overrun >= 15, "overrun %d of the CPU timer", info.si_overrun);
  signal_take(SIGRTMIN + 3, &info);
  timer_burn(0.03);
  CHECK_EQ(signal_take(SIGRTMIN + 3, &info), SIGRTMIN + 3);
  if (drops) {
    for (int s = 4; s <= 6; s++) CHECK_EQ(signal_take(SIGRTMIN + s, &info), -1);
  }
  CHECK(syscall(SYS_timer_gettime, again, &now) == 0 && now.it_value.tv_sec >= 490);
  CHECK(syscall(SYS_timer_gettime, stopped, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
  CHECK(syscall(SYS_timer_gettime, deleted, &now) < 0);
  CHECK(syscall(SYS_timer_gettime, taken, &now) == 0 && now.it_value.tv_sec >= 90);
  CHECK_EQ(syscall(SYS_timer_getoverrun, taken), 0);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
