// A process whose leading thread has exited while others live on: it stays so, and the threads go on.
// leaders: any
#include "victim.h"

static pthread_t leader;
static atomic_int other_runs;

static void* last(void* unused) {
  (void)unused;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", getpid());
  while (!strstr(victim_slurp(path), ") Z")) sched_yield();
  while (!other_runs) sched_yield();
  victim_ready();
  CHECK(strstr(victim_slurp(path), ") Z") != NULL, "the leader lives");
  CHECK(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
  exit(victim_done());
}

static void* other(void* unused) {
  other_runs = 1;
  for (;;) pause();
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t a, b;
  if (syscall(SYS_pidfd_open, getpid(), O_EXCL) < 0)  // PIDFD_THREAD
    victim_skip("descriptors of single threads need Linux 6.9");
  leader = pthread_self();
  MUST(pthread_create(&a, NULL, other, NULL) == 0 && pthread_create(&b, NULL, last, NULL) == 0);
  syscall(SYS_exit, 0);
}
