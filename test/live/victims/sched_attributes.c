// Scheduling: policy, real-time priority, nice value, reset-on-fork, affinity, I/O priority; different per thread.
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/resource.h>

#include "victim.h"

// ioprio_set(2): IOPRIO_PRIO_VALUE is no constant expression in every version of the header.
#define IO_PRIORITY(class, level) ((class) << IOPRIO_CLASS_SHIFT | (level))

struct attributes {  // sched_setattr(2); the C library has no header for it
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

enum { KINDS = 5 };
static const struct {
  int policy, nice, priority, flags, ioprio;
} kinds[KINDS] = {
    {SCHED_NORMAL, 3, 0, 0, IO_PRIORITY(IOPRIO_CLASS_BE, 6)},
    {SCHED_BATCH, 7, 0, 0, IO_PRIORITY(IOPRIO_CLASS_IDLE, 0)},
    {SCHED_IDLE, 0, 0, 0, IO_PRIORITY(IOPRIO_CLASS_NONE, 0)},
    {SCHED_FIFO, 0, 5, SCHED_FLAG_RESET_ON_FORK, IO_PRIORITY(IOPRIO_CLASS_RT, 3)},
    {SCHED_RR, 0, 9, 0, IO_PRIORITY(IOPRIO_CLASS_BE, 1)},
};
static bool set[KINDS];
static int nices[KINDS];
static atomic_int started;
static cpu_set_t masks[KINDS];

static void verify(int i) {
  struct attributes now = {0};
  cpu_set_t mask;
  if (set[i]) {
    CHECK(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0);
    CHECK(now.policy == (unsigned)kinds[i].policy, "kind %d policy %u", i, now.policy);
    CHECK(now.nice == nices[i], "kind %d nice %d", i, now.nice);
    CHECK(now.priority == (unsigned)kinds[i].priority, "kind %d priority %u", i, now.priority);
    CHECK((now.flags & SCHED_FLAG_RESET_ON_FORK) == (unsigned)kinds[i].flags, "kind %d flags %llu", i,
          (unsigned long long)now.flags);
  }
  int ioprio = (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
  CHECK(IOPRIO_PRIO_CLASS(kinds[i].ioprio) == IOPRIO_CLASS_NONE || ioprio == kinds[i].ioprio, "kind %d ioprio 0x%x", i,
        ioprio);
  CHECK(sched_getaffinity(0, sizeof mask, &mask) == 0 && CPU_EQUAL(&mask, &masks[i]), "kind %d affinity", i);
}

static void apply(int i) {
  // SCHED_IDLE keeps the nice value that it has, and its priority is made of the one it is given
  int nice = kinds[i].policy == SCHED_IDLE ? getpriority(PRIO_PROCESS, 0) : kinds[i].nice;
  struct attributes wanted = {.size = sizeof wanted,
                              .policy = (unsigned)kinds[i].policy,
                              .flags = (unsigned)kinds[i].flags,
                              .nice = nice,
                              .priority = (unsigned)kinds[i].priority};
  cpu_set_t mask;
  MUST(sched_getaffinity(0, sizeof mask, &mask) == 0);
  int skip = i;
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&mask) > 1; cpu++)
    if (CPU_ISSET(cpu, &mask) && skip-- == 0) CPU_CLR(cpu, &mask);
  MUST(sched_setaffinity(0, sizeof mask, &mask) == 0);
  masks[i] = mask;
  if (IOPRIO_PRIO_CLASS(kinds[i].ioprio) != IOPRIO_CLASS_NONE)
    MUST(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, kinds[i].ioprio) == 0);
  set[i] = syscall(SYS_sched_setattr, 0, &wanted, 0) == 0;  // real-time policies may be refused (cgroup v1 budget)
  struct attributes now = {0};
  MUST(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0);
  nices[i] = now.nice;
  if (kinds[i].priority == 0) MUST(set[i]);
}

static void* work(void* argument) {
  int i = (int)(long)argument;
  apply(i);
  started++;
  victim_wait();
  verify(i);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread[KINDS];
  for (long i = 1; i < KINDS; i++) MUST(pthread_create(&thread[i], NULL, work, (void*)i) == 0);
  while (started < KINDS - 1) sched_yield();
  apply(0);
  victim_ready();
  verify(0);
  for (int i = 1; i < KINDS; i++) {
    pthread_kill(thread[i], VICTIM_GO);
    CHECK(pthread_join(thread[i], NULL) == 0);
  }
  return victim_done();
}
