// Eight threads with thread-local storage, own names, a condition variable and a mutex held over the dump.
// flavours: host ns leave stopped
#include "victim.h"

enum { THREADS = 8 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int waiting, released, finished;
static __thread long local;

static void* work(void* argument) {
  long number = (long)argument;
  char name[16], now[16];
  pid_t tid = victim_tid();
  local = number * 1001;
  snprintf(name, sizeof name, "thread %ld", number);
  prctl(PR_SET_NAME, name);
  pthread_mutex_lock(&mutex);
  waiting++;
  while (!released) pthread_cond_wait(&condition, &mutex);
  finished++;
  pthread_mutex_unlock(&mutex);
  CHECK_EQ(local, number * 1001);
  CHECK_EQ(victim_tid(), tid);
  prctl(PR_GET_NAME, now);
  CHECK(strcmp(name, now) == 0, "name %s", now);
  return (void*)(number + 500);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread[THREADS];
  for (long i = 0; i < THREADS; i++) MUST(pthread_create(&thread[i], NULL, work, (void*)i) == 0);
  for (int ready = 0; ready < THREADS; sched_yield()) {
    pthread_mutex_lock(&mutex);
    ready = waiting;
    pthread_mutex_unlock(&mutex);
  }
  pthread_mutex_lock(&mutex);
  victim_ready();
  CHECK_EQ(finished, 0);
  released = 1;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  for (long i = 0; i < THREADS; i++) {
    void* value = NULL;
    CHECK(pthread_join(thread[i], &value) == 0);
    CHECK_EQ((long)value, i + 500);
  }
  CHECK_EQ(finished, THREADS);
  return victim_done();
}
