// A thread that keeps values in registers over a dump: its function says `spin_started`, loads them, spins until
// `spin_stop`, and looks at them.
#ifndef NSR_TEST_LIVE_SPIN_H
#define NSR_TEST_LIVE_SPIN_H

#include "victim.h"

static atomic_int spin_started;
static volatile int spin_stop;

VICTIM_UNUSED static void spin_over_dump(void* (*spin)(void*)) {
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, spin, NULL) == 0);
  while (!spin_started) sched_yield();
  victim_ready();
  spin_stop = 1;
  CHECK(pthread_join(thread, NULL) == 0);
}

#endif
