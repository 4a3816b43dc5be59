// set_tid_address: the address survives, and the kernel clears and wakes it when the thread ends (that is
// pthread_join).
#include <linux/futex.h>

#include "victim.h"

static int cleared;
static atomic_int tid;

static void* work(void* unused) {
  (void)unused;
  cleared = victim_tid();
  syscall(SYS_set_tid_address, &cleared);
  tid = victim_tid();
  victim_wait();
  int* now = NULL;
  if (prctl(PR_GET_TID_ADDRESS, &now) == 0) CHECK(now == &cleared);
  syscall(SYS_exit, 0);
  return NULL;
}

static void* plain(void* unused) {
  victim_wait();
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t raw, joined;
  int *mine = NULL, *now = NULL;
  bool readable = prctl(PR_GET_TID_ADDRESS, &mine) == 0;
  MUST(pthread_create(&raw, NULL, work, NULL) == 0);
  MUST(pthread_create(&joined, NULL, plain, &mine) == 0);
  while (!tid) sched_yield();
  victim_ready();
  if (readable) CHECK(prctl(PR_GET_TID_ADDRESS, &now) == 0 && now == mine);
  CHECK_EQ(cleared, tid);
  CHECK(syscall(SYS_tgkill, getpid(), tid, VICTIM_GO) == 0);
  struct timespec limit = {5, 0};
  for (int value; (value = *(volatile int*)&cleared) != 0;)
    if (syscall(SYS_futex, &cleared, FUTEX_WAIT, value, &limit, NULL, 0) == -1 && errno == ETIMEDOUT) break;
  CHECK_EQ(*(volatile int*)&cleared, 0);
  void* value = NULL;
  pthread_kill(joined, VICTIM_GO);
  CHECK(pthread_join(joined, &value) == 0 && value == &mine);
  return victim_done();
}
