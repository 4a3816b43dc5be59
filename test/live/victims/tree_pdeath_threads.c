// Parent-death signals per thread: of a child of a thread, whose death sends them; set in another thread than the
// child's first.
#include "victim.h"

static atomic_int made, child_ready;
static pid_t child;

static void* in_child(void* unused) {
  MUST(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
  made = 1;
  victim_wait();
  return unused;
}

static void* maker(void* unused) {
  int ends[2];
  char c;
  MUST(pipe(ends) == 0);
  child = fork();
  if (child == 0) {
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    MUST(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
    pthread_t t;
    MUST(pthread_create(&t, NULL, in_child, NULL) == 0);
    while (!made) sched_yield();
    MUST(write(ends[1], "r", 1) == 1);
    close(ends[0]), close(ends[1]);
    victim_wait();
    int got = 0;
    for (int i = 0; i < 2; i++) {
      struct timespec limit = {10, 0};
      int s = sigtimedwait(&set, &info, &limit);
      got |= s == SIGUSR1 ? 1 : s == SIGUSR2 ? 2 : 4;
    }
    CHECK_EQ(got, 3);
    pthread_kill(t, VICTIM_GO);
    pthread_join(t, NULL);
    victim_child_done();
  }
  MUST(read(ends[0], &c, 1) == 1);
  close(ends[0]), close(ends[1]);
  child_ready = 1;
  victim_wait();
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t t;
  MUST(pthread_create(&t, NULL, maker, NULL) == 0);
  while (!child_ready) sched_yield();
  victim_ready();
  victim_go(child);
  pthread_kill(t, VICTIM_GO);
  CHECK(pthread_join(t, NULL) == 0);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0, "0x%x", status);
  return victim_done();
}
