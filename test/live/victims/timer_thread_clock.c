// Timers that count the CPU time of the thread that made them, and tell the process or another thread: armed, and
// armed only after the restore.
// ignore: timers$|taskstate \d+ timer
// rounds: 2
#include "timers.h"

enum { TIMERS = 3 };
static int timer[TIMERS];
static atomic_int made;
static pid_t first_tid;

static double left_of(int id) {
  struct itimerspec time = {0};
  CHECK(syscall(SYS_timer_gettime, id, &time) == 0, "timer %d", id);
  return (double)time.it_value.tv_sec + (double)time.it_value.tv_nsec * 1e-9;
}

static void set_far(int id) { timer_set(id, (struct timespec){100, 0}, (struct timespec){0, 0}); }

static void make(void) {
  for (int i = 0; i < TIMERS; i++) {
    timer[i] = timer_make(CLOCK_THREAD_CPUTIME_ID, SIGRTMIN + 3, i, i == 2 ? first_tid : 0);
    MUST(timer[i] >= 0);
  }
  set_far(timer[0]);
  set_far(timer[2]);
}

static void* work(void* argument) {
  make();
  made = 1;
  victim_wait();
  CHECK(left_of(timer[1]) == 0);
  set_far(timer[1]);
  double before[TIMERS];
  for (int i = 0; i < TIMERS; i++) before[i] = left_of(timer[i]);
  timer_burn(0.02);
  for (int i = 0; i < TIMERS; i++) CHECK(before[i] - left_of(timer[i]) >= 0.02, "timer %d", i);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  first_tid = victim_tid();
  sigset_t all;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!made) sched_yield();
  int own = timer_make(CLOCK_THREAD_CPUTIME_ID, SIGRTMIN + 4, 9, 0);
  MUST(own >= 0);
  set_far(own);

  victim_ready();

  double before = left_of(own), before_other = left_of(timer[0]);
  timer_burn(0.02);
  CHECK(before - left_of(own) >= 0.02);
  CHECK(before_other - left_of(timer[0]) < 0.01, "a timer of another thread counts this one's time");
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
