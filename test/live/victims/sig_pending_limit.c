// Signals that were queued, for the process and for a thread, before its limit of queued signals was lowered: all come
// back, and no more can be queued. A timer keeps its signal, which was reserved.
// ignore: status SigPnd|status ShdPnd
#include <sys/resource.h>

#include "timers.h"

enum { SIGNALS = 20 };
static atomic_int queued, go;

static void queue(bool thread, int signo) {
  for (int i = 0; i < SIGNALS; i++) {
    siginfo_t info = {.si_code = SI_QUEUE};
    info.si_value.sival_int = i;
    if (thread)
      MUST(syscall(SYS_rt_tgsigqueueinfo, getpid(), victim_tid(), signo, &info) == 0);
    else
      MUST(syscall(SYS_rt_sigqueueinfo, getpid(), signo, &info) == 0);
  }
}

static void verify(int signo) {
  siginfo_t info;
  for (int i = 0; i < SIGNALS; i++) {
    CHECK_EQ(signal_take(signo, &info), signo);
    CHECK_EQ(info.si_value.sival_int, i);
  }
  CHECK_EQ(signal_take(signo, &info), -1);
}

static void* work(void* argument) {
  queue(true, SIGRTMIN + 2);
  queued = 1;
  while (!go) sched_yield();
  verify(SIGRTMIN + 2);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t all;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!queued) sched_yield();
  queue(false, SIGRTMIN + 3);
  int timer = timer_make(CLOCK_MONOTONIC, SIGRTMIN + 4, 4, 0);
  MUST(timer >= 0);
  struct rlimit none = {0, 0}, now;
  MUST(setrlimit(RLIMIT_SIGPENDING, &none) == 0);

  victim_ready();

  CHECK(getrlimit(RLIMIT_SIGPENDING, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == 0);
  union sigval value = {.sival_int = 1};
  CHECK(sigqueue(getpid(), SIGRTMIN + 5, value) == -1 && errno == EAGAIN);
  verify(SIGRTMIN + 3);
  siginfo_t info;
  timer_set(timer, (struct timespec){0, 1}, (struct timespec){0, 0});
  CHECK_EQ(signal_await(SIGRTMIN + 4, &info, (struct timespec){10, 0}), SIGRTMIN + 4);
  go = 1;
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
