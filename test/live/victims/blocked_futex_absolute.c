// futex wait until an absolute time (what pthread_cond_timedwait does).
#include "blocked.h"
#define CALL_NR SYS_futex
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;

static void prepare(void) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&condition, &attributes);
}

static void call(void) {
  struct timespec when;
  double start = victim_now(CLOCK_MONOTONIC);
  clock_gettime(CLOCK_MONOTONIC, &when);
  when.tv_sec += blocked_unit;
  pthread_mutex_lock(&mutex);
  int result;
  while ((result = pthread_cond_timedwait(&condition, &mutex, &when)) == 0) {
  }
  pthread_mutex_unlock(&mutex);
  CHECK_EQ(result, ETIMEDOUT);
  blocked_check_duration(start, blocked_unit);
}

BLOCKED_MAIN_TIMEOUT
