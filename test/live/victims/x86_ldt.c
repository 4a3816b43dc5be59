// The local descriptor table of x86, of a process with a hole in it and of its child, also while a thread has one of
// its entries in a segment register.
#include <asm/ldt.h>

#include "victim.h"

enum { ENTRIES = 6 };
static uint64_t before[ENTRIES];
static atomic_int started;

static unsigned short es(void) {
  unsigned short selector;
  __asm__ volatile("mov %%es, %0" : "=r"(selector));
  return selector;
}

static void verify(void) {
  uint64_t now[ENTRIES] = {0};
  CHECK(syscall(SYS_modify_ldt, 0, now, sizeof now) == sizeof now);
  for (int i = 0; i < ENTRIES; i++) CHECK(now[i] == before[i], "entry %d is %lx, was %lx", i, now[i], before[i]);
}

static void* work(void* unused) {
  __asm__ volatile("mov %0, %%es" : : "r"((unsigned short)(3 << 3 | 7)));
  started = 1;
  victim_wait();
  CHECK_EQ(es(), 3 << 3 | 7);
  __asm__ volatile("mov %0, %%es" : : "r"((unsigned short)0));
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct user_desc data = {.entry_number = 3, .base_addr = 0x12345000, .limit = 0xabcde, .seg_32bit = 1, .useable = 1};
  struct user_desc code = {.entry_number = 5, .base_addr = 0x1000, .limit = 0xf, .contents = 2, .limit_in_pages = 1};
  struct user_desc down = {.entry_number = 0, .limit = 1, .contents = 1, .read_exec_only = 1, .seg_not_present = 1};
  if (syscall(SYS_modify_ldt, 0x11, &data, sizeof data) != 0) victim_skip("this kernel has no modify_ldt");
  MUST(syscall(SYS_modify_ldt, 0x11, &code, sizeof code) == 0);
  MUST(syscall(SYS_modify_ldt, 0x11, &down, sizeof down) == 0);
  MUST(syscall(SYS_modify_ldt, 0, before, sizeof before) == sizeof before);
  pid_t child = victim_child(verify);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  verify();
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  victim_join(child);
  return victim_done();
}
