// A robust mutex whose owner, a thread, dies after the restore: the next one gets EOWNERDEAD.
#include <linux/futex.h>

#include "victim.h"

static pthread_mutex_t mutex;
static atomic_int held;

static void* work(void* unused) {
  (void)unused;
  struct robust_list_head *head = NULL, *now = NULL;
  size_t size = 0;
  MUST(syscall(SYS_get_robust_list, 0, &head, &size) == 0);
  MUST(pthread_mutex_lock(&mutex) == 0);
  held = 1;
  victim_wait();
  CHECK(syscall(SYS_get_robust_list, 0, &now, &size) == 0 && now == head && size == sizeof *head);
  syscall(SYS_exit, 0);  // the kernel itself must clean up
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  MUST(pthread_mutex_init(&mutex, &attributes) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!held) sched_yield();
  victim_ready();
  CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
  pthread_kill(thread, VICTIM_GO);
  struct timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += 5;
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &limit), EOWNERDEAD);
  CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
  return victim_done();
}
