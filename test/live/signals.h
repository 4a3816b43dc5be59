// Taking a pending signal with what the kernel says of it: the C library's sigtimedwait(3) changes some of it.
#ifndef NSR_TEST_LIVE_SIGNALS_H
#define NSR_TEST_LIVE_SIGNALS_H

#include "victim.h"

// A pending signal, or one that comes in time; -1 without.
VICTIM_UNUSED static int signal_await(int signo, siginfo_t* info, struct timespec limit) {
  uint64_t set = (uint64_t)1 << (signo - 1);
  memset(info, 0, sizeof *info);
  return (int)syscall(SYS_rt_sigtimedwait, &set, info, &limit, 8);
}

VICTIM_UNUSED static int signal_take(int signo, siginfo_t* info) {
  return signal_await(signo, info, (struct timespec){0, 0});
}

#endif
