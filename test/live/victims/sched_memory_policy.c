// NUMA memory policies (set_mempolicy(2)), another one per thread; a child inherits one.
#include "victim.h"

enum { BIND = 2, INTERLEAVE = 3, STATIC_NODES = 1 << 15 };
static atomic_int started;

static void verify(int mode) {
  int now = -1;
  unsigned long nodes[16] = {0};
  CHECK(syscall(SYS_get_mempolicy, &now, nodes, 1024, 0, 0) == 0);
  CHECK_EQ(now, mode);
  CHECK_EQ(nodes[0], mode ? 1 : 0);
}

static void set(int mode) {
  unsigned long nodes[16] = {1};
  MUST(syscall(SYS_set_mempolicy, mode, nodes, 1024) == 0);
}

static void* work(void* unused) {
  set(INTERLEAVE | STATIC_NODES);
  started = 1;
  victim_wait();
  verify(INTERLEAVE | STATIC_NODES);
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int mode;
  if (syscall(SYS_get_mempolicy, &mode, NULL, 0, 0, 0) != 0) victim_skip("the kernel has no NUMA");
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  pid_t plain = fork();
  if (plain == 0) {
    victim_wait();
    verify(0);
    victim_child_done();
  }
  set(BIND);
  pid_t heir = fork();
  if (heir == 0) {
    victim_wait();
    verify(BIND);
    victim_child_done();
  }
  victim_ready();
  verify(BIND);
  victim_join(plain);
  victim_join(heir);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
