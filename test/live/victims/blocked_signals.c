// Signals arrive, with SA_RESTART and without, in threads that were dumped inside a read: one goes on, one gets EINTR.
#include "victim.h"

static int ends[2];
static pthread_t thread[2];
static atomic_int tids[2], handled;
static long result[2];
static int error[2];

static void handler(int signal) {
  (void)signal;
  handled++;
}

static void* work(void* argument) {
  long i = (long)argument;
  char c;
  tids[i] = victim_tid();
  result[i] = read(ends[0], &c, 1);
  error[i] = errno;
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(pipe(ends) == 0);
  struct sigaction action = {0};
  action.sa_handler = handler;
  MUST(sigaction(SIGUSR1, &action, NULL) == 0);
  action.sa_flags = SA_RESTART;
  MUST(sigaction(SIGUSR2, &action, NULL) == 0);
  for (long i = 0; i < 2; i++) MUST(pthread_create(&thread[i], NULL, work, (void*)i) == 0);
  while (!tids[0] || !tids[1]) sched_yield();
  char words[100];
  snprintf(words, sizeof words, "blocked %d %d %d %d", tids[0], (int)SYS_read, tids[1], (int)SYS_read);
  victim_announce(words);
  victim_wait();
  pthread_kill(thread[0], SIGUSR1);
  CHECK(pthread_join(thread[0], NULL) == 0);
  CHECK(result[0] == -1 && error[0] == EINTR, "read gave %ld, errno %d", result[0], error[0]);
  pthread_kill(thread[1], SIGUSR2);
  while (handled < 2) sched_yield();
  CHECK_EQ(write(ends[1], "x", 1), 1);
  CHECK(pthread_join(thread[1], NULL) == 0);
  CHECK_EQ(result[1], 1);
  return victim_done();
}
