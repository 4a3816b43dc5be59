// A thread that waits in io_uring_enter for completions of a ring that is idle, as servers do: it goes on waiting, and
// a completion that another thread causes afterwards wakes it.
#include "uring.h"

static struct uring r;
static atomic_int taken, tid;

static void* collector(void* unused) {
  (void)unused;
  tid = victim_tid();
  while (taken < 3) {
    uint64_t data;
    int result;
    long n = uring_enter(&r, 0, 1);
    CHECK(n == 0, "waiting ended with %ld", n);
    while (uring_take(&r, &data, &result)) taken++;
  }
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (!uring_make(&r, 8, 0, 0)) victim_skip("no io_uring here");
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, collector, NULL) == 0);
  while (tid == 0) sched_yield();
  char words[64];
  snprintf(words, sizeof words, "blocked %d %d", (int)tid, SYS_io_uring_enter);
  victim_announce(words);
  victim_wait();

  for (uint64_t i = 0; i < 3; i++) {
    uring_prepare(&r, IORING_OP_NOP, -1, NULL, 0, i);
    CHECK_EQ(uring_enter(&r, 1, 0), 1);
  }
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_EQ(taken, 3);
  return victim_done();
}
