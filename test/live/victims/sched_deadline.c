// Deadline scheduling of one thread, with its flags.
#include "victim.h"

struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};
enum { DEADLINE = 6, RECLAIM = 2, OVERRUN = 4 };
static atomic_int started;

static void* work(void* unused) {
  struct attributes a = {sizeof a, DEADLINE, RECLAIM | OVERRUN, 0, 0, 2000000, 50000000, 100000000}, now = {0};
  if (syscall(SYS_sched_setattr, 0, &a, 0) != 0) victim_skip("no deadline scheduling here");
  started = 1;
  victim_wait();
  CHECK(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0);
  CHECK_EQ(now.policy, DEADLINE);
  CHECK_EQ(now.flags, RECLAIM | OVERRUN);
  CHECK_EQ(now.runtime, 2000000);
  CHECK_EQ(now.deadline, 50000000);
  CHECK_EQ(now.period, 100000000);
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t t;
  MUST(pthread_create(&t, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  pthread_kill(t, VICTIM_GO);
  CHECK(pthread_join(t, NULL) == 0);
  return victim_done();
}
