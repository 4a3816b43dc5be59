// A thread in a network namespace of its own.
// flavours: refused none
// refused: thread \d+: it is in another net namespace than its process
#include <sched.h>

#include "victim.h"

static atomic_int started;

static void* work(void* unused) {
  MUST(unshare(CLONE_NEWNET) == 0);
  started = 1;
  victim_wait();
  CHECK(access("/proc/thread-self/net/dev", F_OK) == 0);
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
