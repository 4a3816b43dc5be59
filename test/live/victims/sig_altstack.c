// Alternate signal stacks: set, disabled, with SS_AUTODISARM, per thread; a handler then runs on it.
#include "victim.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)  // linux/signal.h, which does not go with the C library's header
#endif

static char stacks[3][65536] __attribute__((aligned(16)));
static atomic_int started;
static volatile uintptr_t ran_at;

static void handler(int signal) {
  char here;
  (void)signal;
  ran_at = (uintptr_t)&here;
}

static void verify(int i, int flags, bool use) {
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0);
  CHECK_EQ(now.ss_flags, flags);
  if (flags == SS_DISABLE) return;
  CHECK(now.ss_sp == stacks[i]);
  CHECK_EQ(now.ss_size, sizeof stacks[i] - 4096 * (size_t)i);
  if (!use) return;
  ran_at = 0;
  pthread_kill(pthread_self(), SIGUSR1);
  CHECK(ran_at >= (uintptr_t)stacks[i] && ran_at < (uintptr_t)stacks[i] + sizeof stacks[i], "handler ran at 0x%lx",
        (long)ran_at);
}

static void install(int i, int flags) {
  stack_t set = {.ss_sp = stacks[i], .ss_flags = flags, .ss_size = sizeof stacks[i] - 4096 * (size_t)i};
  MUST(sigaltstack(&set, NULL) == 0);
}

static void* work(void* argument) {
  long i = (long)argument;
  int flags = i == 2 ? (int)SS_AUTODISARM : 0;
  if (i < 3) install((int)i, flags);
  started++;
  victim_wait();
  verify((int)i, i < 3 ? flags : SS_DISABLE, true);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sigaction action = {0};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  MUST(sigaction(SIGUSR1, &action, NULL) == 0);
  pthread_t thread[3];
  for (long i = 0; i < 3; i++) MUST(pthread_create(&thread[i], NULL, work, (void*)(i + 1)) == 0);
  while (started < 3) sched_yield();
  install(0, 0);
  victim_ready();
  verify(0, 0, true);
  for (int i = 0; i < 3; i++) {
    pthread_kill(thread[i], VICTIM_GO);
    CHECK(pthread_join(thread[i], NULL) == 0);
  }
  return victim_done();
}
