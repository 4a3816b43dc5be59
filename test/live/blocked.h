// Frame of the victims whose worker thread is dumped inside a blocking system call. A victim defines
//     #define CALL_NR   number that /proc/TID/syscall must show before the dump
//     static void prepare(void);     before the thread starts
//     static void call(void);        in the thread: makes the call and CHECKs its result
//     static void wake(void);        after the restore: makes the call end (nothing for a timeout)
// and ends with BLOCKED_MAIN. The main thread waits with sigwaitinfo as in any victim.
#ifndef NSR_TEST_LIVE_BLOCKED_H
#define NSR_TEST_LIVE_BLOCKED_H
#include "victim.h"

static atomic_int blocked_tid, blocked_ended;
static int blocked_unit = 1;  // seconds that a wait lasts: long enough to be dumped in, also on a slow machine

static void prepare(void);
static void call(void);
static void wake(void);

static void* blocked_thread(void* unused) {
  (void)unused;
  blocked_tid = victim_tid();
  call();
  blocked_ended = 1;
  return NULL;
}

// A relative or absolute wait of `seconds` that began at `start` must not end early, nor last much longer than twice
// its length (a call without a remainder is issued again in full) plus the time of the dump and the restore.
VICTIM_UNUSED static void blocked_check_duration(double start, double seconds) {
  double took = victim_now(CLOCK_MONOTONIC) - start;
  CHECK(took >= seconds - 0.0005, "ended early: %.4f of %.4f s", took, seconds);
  CHECK(took < 2 * seconds + 5 * blocked_unit, "lasted too long: %.4f instead of %.4f s", took, seconds);
}

// Forks a helper that stops and continues the whole process as soon as the worker is in system call `nr`: the kernel
// then goes on with that wait by restart_syscall. The caller makes the call and reaps the helper.
VICTIM_UNUSED static pid_t blocked_interrupt_once(long nr) {
  pid_t self = getpid(), helper = fork();
  if (helper != 0) return helper;
  char path[64];
  int asleep = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", self, (int)blocked_tid);
  while (!asleep) asleep = atoi(victim_slurp(path)) == nr;
  kill(self, SIGSTOP);
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", self, (int)blocked_tid);
  while (!strstr(victim_slurp(path), ") T")) sched_yield();
  kill(self, SIGCONT);
  _exit(0);
}

static int blocked_main(int argc, char** argv, long nr, bool ends_by_wake) {
  victim_init(argc, argv);
  const char* patience = getenv("NSR_PATIENCE");
  if (patience && atoi(patience) > 1) blocked_unit = atoi(patience);
  prepare();
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, blocked_thread, NULL) == 0);
  while (!blocked_tid) sched_yield();
  char words[64];
  snprintf(words, sizeof words, "blocked %d %ld", (int)blocked_tid, nr);
  victim_announce(words);
  victim_wait();
  if (ends_by_wake) CHECK(!blocked_ended, "the call ended by itself");
  wake();
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(blocked_ended == 1);
  return victim_done();
}

#define BLOCKED_MAIN_WAKE \
  int main(int argc, char** argv) { return blocked_main(argc, argv, CALL_NR, true); }
#define BLOCKED_MAIN_TIMEOUT \
  static void wake(void) {}  \
  int main(int argc, char** argv) { return blocked_main(argc, argv, CALL_NR, false); }
#endif
