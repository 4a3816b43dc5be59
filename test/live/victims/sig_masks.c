// The signal mask of each thread.
#include "victim.h"

static atomic_int started;

static uint64_t mask_of(int i) {
  return (0x9e3779b97f4a7c15u * (unsigned)(i + 1) | 1ul << (VICTIM_GO - 1)) &
         ~(1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1) | 3ul << 31);
}

static void verify(int i) {
  uint64_t now = 0;
  CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, 8) == 0);
  CHECK(now == mask_of(i), "thread %d mask 0x%llx, not 0x%llx", i, (unsigned long long)now,
        (unsigned long long)mask_of(i));
}

static void* work(void* argument) {
  int i = (int)(long)argument;
  uint64_t mask = mask_of(i);
  MUST(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8) == 0);
  started++;
  victim_wait();
  verify(i);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread[4];
  for (long i = 0; i < 4; i++) MUST(pthread_create(&thread[i], NULL, work, (void*)i) == 0);
  while (started < 4) sched_yield();
  uint64_t mask = mask_of(4);
  MUST(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8) == 0);
  victim_ready();
  verify(4);
  for (int i = 0; i < 4; i++) {
    pthread_kill(thread[i], VICTIM_GO);
    CHECK(pthread_join(thread[i], NULL) == 0);
  }
  return victim_done();
}
