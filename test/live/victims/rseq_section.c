// A thread that is stopped inside a critical section of rseq(2) goes on at its abort handler, not in the section.
#include <linux/rseq.h>

#include "victim.h"

#define SIGNATURE 0x53053053
static struct rseq area __attribute__((aligned(64)));
static atomic_int inside, leave;
static volatile uint64_t intruders;

// Stays in the section until it is told to leave or aborted. The kernel clears rseq_cs when it finds the thread outside
// of the section: whoever sees that from inside has been put back where it must not be.
// Returns 1 when it was aborted.
static int section(void) {
  int aborted = 0;
  __asm__ volatile(
      ".pushsection .data.rel.ro, \"aw\"\n"
      ".balign 32\n"
      "9: .long 0, 0\n"
      ".quad 1f, 2f - 1f, 4f\n"
      ".popsection\n"
      "lea 9b(%%rip), %%rax\n"
      "mov %%rax, %[cs]\n"
      "1: movl $1, %[inside]\n"
      "cmpq $0, %[cs]\n"
      "jne 5f\n"
      "incq %[intruders]\n"
      "jmp 2f\n"
      "5: pause\n"
      "cmpl $0, %[leave]\n"
      "je 1b\n"
      "2: jmp 6f\n"
      ".byte 0x0f, 0xb9, 0x3d\n"
      ".long 0x53053053\n"
      "4: movl $1, %[aborted]\n"
      "6:\n"
      : [cs] "+m"(area.rseq_cs), [inside] "+m"(inside), [intruders] "+m"(intruders), [aborted] "+r"(aborted)
      : [leave] "m"(leave)
      : "rax", "cc", "memory");
  return aborted;
}

static void* in_section(void* unused) {
  (void)unused;
  MUST(syscall(SYS_rseq, &area, sizeof area, 0, SIGNATURE) == 0);
  while (!leave) section();
  CHECK(intruders == 0, "the critical section went on after the stop, %llu times", (unsigned long long)intruders);
  CHECK(syscall(SYS_rseq, &area, sizeof area, RSEQ_FLAG_UNREGISTER, SIGNATURE) == 0);
  return NULL;
}

int main(int argc, char** argv) {
  if (!getenv("GLIBC_TUNABLES")) {  // the C library must not take the thread's only area
    setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
    execv("/proc/self/exe", argv);
  }
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, in_section, NULL) == 0);
  while (!inside) sched_yield();
  victim_ready();
  leave = 1;
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
