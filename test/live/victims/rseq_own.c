// rseq areas that the program registered itself: one thread with an own area, one with none.
#include <linux/rseq.h>

#include "victim.h"

#define SIGNATURE 0x53053053
static struct rseq area __attribute__((aligned(64)));
static atomic_int started;

static void* with_area(void* unused) {
  (void)unused;
  MUST(syscall(SYS_rseq, &area, sizeof area, 0, SIGNATURE) == 0);
  started++;
  victim_wait();
  CHECK((int)area.cpu_id >= 0 && area.cpu_id < 100000, "cpu_id %d", (int)area.cpu_id);
  area.cpu_id = 77777;  // the kernel writes it anew at the next preemption or migration
  cpu_set_t all, one;
  CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    sched_yield();
  }
  if (CPU_COUNT(&all) > 1) CHECK(area.cpu_id < 77777, "the kernel does not know the area");
  CHECK(syscall(SYS_rseq, &area, sizeof area, RSEQ_FLAG_UNREGISTER, SIGNATURE) == 0);
  return NULL;
}

static void* without_area(void* unused) {
  static struct rseq other __attribute__((aligned(64)));
  (void)unused;
  started++;
  victim_wait();
  // nothing may have been registered for this thread
  CHECK(syscall(SYS_rseq, &other, sizeof other, 0, SIGNATURE) == 0);
  CHECK(syscall(SYS_rseq, &other, sizeof other, RSEQ_FLAG_UNREGISTER, SIGNATURE) == 0);
  return NULL;
}

int main(int argc, char** argv) {
  if (!getenv("GLIBC_TUNABLES")) {  // the C library must not take the thread's only area
    setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
    execv("/proc/self/exe", argv);
  }
  victim_init(argc, argv);
  pthread_t one, two;
  MUST(pthread_create(&one, NULL, with_area, NULL) == 0 && pthread_create(&two, NULL, without_area, NULL) == 0);
  while (started < 2) sched_yield();
  victim_ready();
  pthread_kill(one, VICTIM_GO);
  pthread_kill(two, VICTIM_GO);
  CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
  return victim_done();
}
