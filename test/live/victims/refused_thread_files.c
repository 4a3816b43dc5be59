// A thread with a descriptor table of its own (unshare(CLONE_FILES)).
// flavours: refused none
// refused: thread \d+: it has a descriptor table of its own
#include <sched.h>

#include "victim.h"

static atomic_int started;
static int ends[2];

static void* work(void* unused) {
  MUST(unshare(CLONE_FILES) == 0);
  MUST(close(ends[1]) == 0);
  MUST(dup2(ends[0], 77) == 77);
  started = 1;
  victim_wait();
  CHECK(fcntl(77, F_GETFD) == 0);
  CHECK(fcntl(ends[1], F_GETFD) == -1 && errno == EBADF);
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t t;
  MUST(pipe(ends) == 0);
  MUST(pthread_create(&t, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  CHECK(fcntl(77, F_GETFD) == -1 && errno == EBADF);
  CHECK(fcntl(ends[1], F_GETFD) == 0);
  pthread_kill(t, VICTIM_GO);
  CHECK(pthread_join(t, NULL) == 0);
  return victim_done();
}
