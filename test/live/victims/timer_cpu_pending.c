// A pending signal of a CPU clock's timer while a thread uses CPU time all along, over several restores: the timer goes
// on behind the signal, which counts all expiries that were missed.
// ignore: status SigPnd|status ShdPnd|timers
// rounds: 3
#include "timers.h"

static atomic_int stop;

static void* use_time(void* argument) {
  while (!stop) {
  }
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t all;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  int timer = timer_make(CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN + 3, 7, 0);
  MUST(timer >= 0);
  timer_set(timer, (struct timespec){0, 1000000}, (struct timespec){0, 2000000});
  timer_burn(0.04);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, use_time, NULL) == 0);

  victim_ready();

  siginfo_t info;
  CHECK_EQ(signal_take(SIGRTMIN + 3, &info), SIGRTMIN + 3);
  CHECK_EQ(info.si_timerid, timer);
  CHECK(info.si_overrun >= 18, "overrun %d", info.si_overrun);
  for (int i = 0; i < 5; i++) CHECK_EQ(signal_await(SIGRTMIN + 3, &info, (struct timespec){10, 0}), SIGRTMIN + 3);
  stop = 1;
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
