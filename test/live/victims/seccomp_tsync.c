// Filters that threads have in common stay one filter each: another can still be added to all of them by TSYNC.
#include "seccomp.h"

static atomic_int started;

static void* work(void* unused) {
  (void)unused;
  started = 1;
  victim_wait();
  CHECK(syscall(SYS_sync) == -1 && errno == 41);
  CHECK(syscall(SYS_getppid) == -1 && errno == 42);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(filter_install(SYS_sync, DENY(41), 0) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  int refused = filter_install(SYS_getppid, DENY(42), SECCOMP_FILTER_FLAG_TSYNC);
  CHECK(refused == 0, "thread %d has other filters", refused);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
