// no_new_privs (per thread) and dumpable.
#include "victim.h"

static atomic_int started;

static void* work(void* unused) {
  (void)unused;
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  started = 1;
  victim_wait();
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child = fork();
  if (child == 0) {
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    victim_wait();
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    victim_child_done();
  }
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  MUST(prctl(PR_SET_DUMPABLE, 0) == 0);
  victim_ready();
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
  victim_join(child);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
