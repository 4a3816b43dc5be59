// rseq critical sections that never stop: an increment is neither lost nor done twice when the dump falls into a
// section.
// rounds: 5
#include <sys/rseq.h>

#include "victim.h"

enum { THREADS = 4 };
static atomic_int started;
static volatile int stop;
static volatile long done[THREADS];

static void* work(void* argument) {
  long number = (long)argument, wanted = 0;
  struct rseq* area = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
  volatile long counter = 0;
  started++;
  while (!stop) {
    long aborted = 0;
    __asm__ volatile(
        ".pushsection __rseq_cs,\"aw\"\n"
        ".balign 32\n"
        "3: .long 0,0\n .quad 1f,2f-1f,4f\n"
        ".popsection\n"
        "lea 3b(%%rip),%%rax\n mov %%rax,%[section]\n"
        "1:\n"
        "mov $2000,%%rcx\n"
        "5: dec %%rcx\n jnz 5b\n"
        "mov %[counter],%%rax\n inc %%rax\n mov %%rax,%[counter]\n"
        "2:\n"
        "jmp 6f\n"
        ".long 0x53053053\n"
        "4: movq $1,%[aborted]\n"
        "6:\n"
        : [counter] "+m"(counter), [aborted] "+r"(aborted), [section] "=m"(area->rseq_cs)::"rax", "rcx", "memory",
          "cc");
    if (aborted) {
      CHECK_EQ(counter, wanted);
    } else {
      wanted++;
      CHECK_EQ(counter, wanted);
    }
    if (victim_failures) break;
    CHECK(area->cpu_id < 100000, "cpu_id %d", (int)area->cpu_id);
    done[number] = counter;
  }
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (__rseq_size == 0) victim_skip("the C library has no rseq area");
  pthread_t thread[THREADS];
  for (long i = 0; i < THREADS; i++) MUST(pthread_create(&thread[i], NULL, work, (void*)i) == 0);
  while (started < THREADS) sched_yield();
  victim_ready();
  struct rseq* area = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
  CHECK(area->cpu_id < 100000, "cpu_id of the main thread %d", (int)area->cpu_id);
  for (int i = 0; i < THREADS; i++)
    for (long before = done[i]; done[i] == before && !victim_failures;) sched_yield();
  stop = 1;
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(thread[i], NULL) == 0);
  // still registered: a second registration of the same area says so
  CHECK(syscall(SYS_rseq, area, sizeof *area, 0, RSEQ_SIG) == -1 &&
        (errno == EBUSY || errno == EINVAL || errno == EPERM));
  return victim_done();
}
