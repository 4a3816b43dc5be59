// Priority-inheritance mutexes: held, robust, and waited for with and without a limit; a condition variable.
#include "victim.h"

static pthread_mutex_t held, robust;
static atomic_int started, got;

static void* locker(void* unused) {
  started++;
  CHECK_EQ(pthread_mutex_lock(&held), 0);
  got = 1;
  CHECK_EQ(pthread_mutex_unlock(&held), 0);
  return unused;
}

static void* timed(void* unused) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec += 3600;
  started++;
  CHECK_EQ(pthread_mutex_timedlock(&held, &t), 0);
  CHECK_EQ(pthread_mutex_unlock(&held), 0);
  return unused;
}

static void* dies(void* unused) {
  CHECK_EQ(pthread_mutex_lock(&robust), 0);
  started++;
  victim_wait();
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  MUST(pthread_mutex_init(&held, &a) == 0);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  MUST(pthread_mutex_init(&robust, &a) == 0);
  MUST(pthread_mutex_lock(&held) == 0);
  pthread_t t[3];
  MUST(pthread_create(&t[0], NULL, locker, NULL) == 0);
  MUST(pthread_create(&t[1], NULL, timed, NULL) == 0);
  MUST(pthread_create(&t[2], NULL, dies, NULL) == 0);
  while (started < 3) sched_yield();
  victim_ready();
  CHECK_EQ(got, 0);
  CHECK_EQ(pthread_mutex_trylock(&held), EBUSY);
  CHECK_EQ(pthread_mutex_unlock(&held), 0);
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
  CHECK_EQ(pthread_mutex_trylock(&robust), EBUSY);
  pthread_kill(t[2], VICTIM_GO);
  pthread_join(t[2], NULL);
  CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
  return victim_done();
}
