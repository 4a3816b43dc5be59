// Timers on further clocks: the alarm clocks, CPU clocks of another thread and of another process, to a thread that is
// not the first; disarmed ones; far and near times; an alarm(2) that is almost due.
// ignore: timers$|taskstate \d+ (timer|signals)|ShdPnd
#include <sys/time.h>

#include "timers.h"

#ifndef CLOCK_REALTIME_ALARM
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#endif

static atomic_int worker_tid;
static int own_timer = -1;

static void set(int id, long sec, long nsec, long interval_sec) {
  timer_set(id, (struct timespec){sec, nsec}, (struct timespec){interval_sec, 0});
}

static struct itimerspec get(int id) {
  struct itimerspec t = {{-1, 0}, {-1, 0}};
  CHECK(syscall(SYS_timer_gettime, id, &t) == 0, "timer %d", id);
  return t;
}

static void* work(void* argument) {
  siginfo_t info;
  // a CPU clock of this thread, told to this thread: made by a thread that is not the first
  own_timer = timer_make(CLOCK_THREAD_CPUTIME_ID, SIGRTMIN + 3, 33, victim_tid());
  MUST(own_timer >= 0);
  set(own_timer, 0, 300000000, 0);
  worker_tid = victim_tid();
  victim_wait();
  struct itimerspec before = get(own_timer);
  CHECK(before.it_value.tv_nsec > 0 && before.it_value.tv_nsec <= 300000000);
  timer_burn(0.05);
  struct itimerspec after = get(own_timer);
  CHECK(before.it_value.tv_nsec - after.it_value.tv_nsec >= 45000000, "the timer is on another thread's clock");
  set(own_timer, 0, 10000000, 0);
  timer_burn(0.03);
  CHECK_EQ(signal_await(SIGRTMIN + 3, &info, (struct timespec){2, 0}), SIGRTMIN + 3);
  CHECK_EQ(info.si_value.sival_int, 33);
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
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    victim_child_done();
  }
  clockid_t of_thread, of_child;
  MUST(pthread_getcpuclockid(thread, &of_thread) == 0 && clock_getcpuclockid(child, &of_child) == 0);
  int wall = timer_make(CLOCK_REALTIME_ALARM, SIGUSR1, 1, 0), boot = timer_make(CLOCK_BOOTTIME_ALARM, SIGUSR1, 2, 0);
  int other_thread = timer_make(of_thread, SIGUSR2, 3, 0), other_process = timer_make(of_child, SIGUSR2, 4, 0);
  int to_worker = timer_make(CLOCK_MONOTONIC, SIGRTMIN + 4, 5, worker_tid), idle = timer_make(CLOCK_TAI, SIGUSR1, 6, 0);
  MUST(other_thread >= 0 && other_process >= 0 && to_worker >= 0 && idle >= 0);
  if (wall >= 0) set(wall, 500, 0, 60);
  if (boot >= 0) set(boot, 600, 0, 0);
  set(other_thread, 700, 0, 7);
  set(other_process, 800, 0, 8);
  set(to_worker, 4000000000, 0, 0);
  struct itimerval soon = {{0, 0}, {0, 400000}};
  MUST(setitimer(ITIMER_REAL, &soon, NULL) == 0);

  victim_ready();

  CHECK_EQ(signal_await(SIGALRM, &info, (struct timespec){2, 0}), SIGALRM);
  if (wall >= 0) CHECK(get(wall).it_value.tv_sec >= 490 && get(wall).it_interval.tv_sec == 60);
  if (boot >= 0) CHECK(get(boot).it_value.tv_sec >= 590);
  CHECK(get(other_thread).it_value.tv_sec >= 690 && get(other_thread).it_interval.tv_sec == 7);
  CHECK(get(other_process).it_value.tv_sec >= 790 && get(other_process).it_interval.tv_sec == 8);
  CHECK(get(to_worker).it_value.tv_sec > 3900000000);
  CHECK(get(idle).it_value.tv_sec == 0 && get(idle).it_value.tv_nsec == 0);
  set(idle, 0, 1000000, 0);
  CHECK_EQ(signal_await(SIGUSR1, &info, (struct timespec){2, 0}), SIGUSR1);
  CHECK_EQ(info.si_timerid, idle);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  victim_join(child);
  return victim_done();
}
