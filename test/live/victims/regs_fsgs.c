// FS and GS base, per thread; the GS base is one of the program's own.
#include <asm/prctl.h>

#include "victim.h"

static __thread int marker;
static uint64_t area[2][8];
static atomic_int started;

static uint64_t gs_word(void) {
  uint64_t value;
  __asm__ volatile("mov %%gs:8,%0" : "=r"(value));
  return value;
}

static void verify(int i, void* self, unsigned long fs) {
  unsigned long base = 0;
  CHECK(gs_word() == 1000u + i);
  CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == (unsigned long)area[i]);
  CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base) == 0 && base == fs);
  CHECK(__builtin_thread_pointer() == self);
  CHECK_EQ(marker, 40 + i);
}

static void run(int i, void (*wait)(void)) {
  unsigned long fs;
  area[i][1] = 1000 + i;
  marker = 40 + i;
  MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, area[i]) == 0);
  MUST(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0);
  void* self = __builtin_thread_pointer();
  started++;
  wait();
  verify(i, self, fs);
}

static void* work(void* unused) {
  (void)unused;
  run(1, victim_wait);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  run(0, victim_ready);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
