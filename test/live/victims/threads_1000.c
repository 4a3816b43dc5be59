// 1,000 threads keep their ids, their stacks and their thread-local storage; all can be joined.
// timeout: 40
#include "victim.h"

enum { THREADS = 1000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER, all_in = PTHREAD_COND_INITIALIZER;
static int waiting, released;
static __thread long local;

static void* work(void* argument) {
  long on_stack[64];
  pid_t tid = victim_tid();
  local = (long)argument;
  for (int i = 0; i < 64; i++) on_stack[i] = (long)argument ^ i;
  pthread_mutex_lock(&mutex);
  if (++waiting == THREADS) pthread_cond_signal(&all_in);
  while (!released) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 64; i++) CHECK_EQ(((volatile long*)on_stack)[i], (long)argument ^ i);
  CHECK_EQ(local, (long)argument);
  CHECK_EQ(victim_tid(), tid);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static pthread_t thread[THREADS];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  for (long i = 0; i < THREADS; i++) MUST(pthread_create(&thread[i], &attributes, work, (void*)i) == 0);
  pthread_mutex_lock(&mutex);
  while (waiting < THREADS) pthread_cond_wait(&all_in, &mutex);
  pthread_mutex_unlock(&mutex);
  victim_ready();
  pthread_mutex_lock(&mutex);
  released = 1;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  for (long i = 0; i < THREADS; i++) {
    void* value = NULL;
    CHECK(pthread_join(thread[i], &value) == 0);
    CHECK_EQ((long)value, i);
  }
  return victim_done();
}
