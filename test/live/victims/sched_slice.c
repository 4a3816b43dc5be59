// The time slice that a thread has chosen (sched_setattr(2), Linux 6.12), and the usual one of a thread that has not.
#include <sched.h>

#include "victim.h"

struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static atomic_int started;
static uint64_t usual;

static uint64_t slice(void) {
  struct attributes now = {0};
  CHECK(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0);
  return now.runtime;
}

static void* work(void* argument) {
  struct attributes wanted = {.size = sizeof wanted, .policy = SCHED_BATCH, .nice = 2, .runtime = 7000000};
  MUST(syscall(SYS_sched_setattr, 0, &wanted, 0) == 0);
  started = slice() == 7000000 ? 1 : 2;
  victim_wait();
  CHECK_EQ(slice(), 7000000);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  usual = slice();
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  if (started == 2) victim_skip("this kernel has no slices that can be chosen");
  victim_ready();
  CHECK_EQ(slice(), usual);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
