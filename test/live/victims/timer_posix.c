// POSIX timers: exact ids with gaps, clocks, notification kinds, intervals, values, and that they fire with their own
// value.
#include "victim.h"

enum { TIMERS = 8 };
struct plan {
  clockid_t clock;
  int notify, signal;
  struct itimerspec time;
};

// the raw id, as the kernel knows it
static int create(const struct plan* plan, int value, int tid) {
  struct sigevent event = {0};
  int id = -1;
  event.sigev_notify = plan->notify;
  event.sigev_signo = plan->signal;
  event.sigev_value.sival_int = value;
  event._sigev_un._tid = tid;
  MUST(syscall(SYS_timer_create, plan->clock, &event, &id) == 0);
  return id;
}

int main(int argc, char** argv) {
  const struct plan plans[TIMERS] = {
      {CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, {{0, 5000000}, {500, 0}}},
      {CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN + 3, {{7, 0}, {600, 0}}},
      {CLOCK_BOOTTIME, SIGEV_NONE, 0, {{0, 0}, {700, 0}}},
      {CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR2, {{1, 0}, {800, 0}}},
      {CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR2, {{2, 0}, {900, 0}}},
      {CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN + 4, {{0, 0}, {0, 0}}},
      {CLOCK_TAI, SIGEV_SIGNAL, SIGUSR1, {{0, 250000}, {1000, 5000}}},
      {CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 5, {{0, 0}, {1100, 0}}},
  };
  victim_init(argc, argv);
  sigset_t all;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  int id[TIMERS];
  for (int i = 0; i < TIMERS; i++) {
    int gap[3];
    for (int j = 0; j < 3; j++) gap[j] = create(&plans[i], 0, victim_tid());
    id[i] = create(&plans[i], 4000 + i, victim_tid());
    for (int j = 0; j < 3; j++) MUST(syscall(SYS_timer_delete, gap[j]) == 0);
    MUST(syscall(SYS_timer_settime, id[i], 0, &plans[i].time, NULL) == 0);
  }

  victim_ready();

  struct itimerspec now;
  for (int i = 0; i < TIMERS; i++) {
    CHECK(syscall(SYS_timer_gettime, id[i], &now) == 0, "timer %d", id[i]);
    CHECK_EQ(now.it_interval.tv_sec, plans[i].time.it_interval.tv_sec);
    CHECK_EQ(now.it_interval.tv_nsec, plans[i].time.it_interval.tv_nsec);
    long left = now.it_value.tv_sec, whole = plans[i].time.it_value.tv_sec;
    CHECK(left <= whole && left >= whole - 60 && (whole == 0) == (left == 0 && now.it_value.tv_nsec == 0),
          "timer %d has %ld s left", i, left);
  }
  for (int j = 0; j < id[TIMERS - 1]; j++) {
    bool mine = false;
    for (int i = 0; i < TIMERS; i++) mine |= id[i] == j;
    CHECK(mine == (syscall(SYS_timer_gettime, j, &now) == 0), "timer id %d", j);
  }
  struct itimerspec soon = {{0, 0}, {0, 1000000}};
  for (int i = 0; i < TIMERS; i++) {
    if (plans[i].notify == SIGEV_NONE) continue;
    siginfo_t info = {0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, plans[i].signal);
    struct itimerspec off = {0};
    CHECK(syscall(SYS_timer_settime, id[i], 0, &soon, NULL) == 0);
    struct timespec limit = {0, 1000};
    double end = victim_now(CLOCK_MONOTONIC) + 10;
    while (sigtimedwait(&set, &info, &limit) < 0 && victim_now(CLOCK_MONOTONIC) < end)
      for (volatile int k = 0; k < 10000; k++) {
      }
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_value.sival_int, 4000 + i);
    CHECK_EQ(info.si_timerid, id[i]);
    CHECK(syscall(SYS_timer_settime, id[i], 0, &off, NULL) == 0);
  }
  int next = create(&plans[0], 1, 0);
  CHECK(next > id[TIMERS - 1], "the next id is %d after %d", next, id[TIMERS - 1]);
  return victim_done();
}
