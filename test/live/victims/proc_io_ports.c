// I/O ports that a process and one of its threads may use (ioperm(2)): the others stay forbidden, and so they are to a
// child that has given them up.
#include <setjmp.h>
#include <sys/io.h>

#include "victim.h"

static atomic_int started;
static _Thread_local sigjmp_buf forbidden;

static void on_fault(int signal) {
  (void)signal;
  siglongjmp(forbidden, 1);
}

static bool may_use(unsigned short port) {
  if (sigsetjmp(forbidden, 1)) return false;
  inb(port);
  return true;
}

static void check_ports(bool first, bool second) {
  CHECK_EQ(may_use(0x80), first);
  CHECK_EQ(may_use(0x84), second);
  CHECK(!may_use(0x82));
  CHECK(!may_use(0xffff));
}

static void* work(void* argument) {
  MUST(ioperm(0x84, 1, 1) == 0);
  started = 1;
  victim_wait();
  check_ports(true, true);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sigaction action = {.sa_handler = on_fault};
  MUST(sigaction(SIGSEGV, &action, NULL) == 0);
  if (ioperm(0x80, 2, 1) != 0) victim_skip("no I/O ports can be asked for here");
  pid_t child = fork();
  if (child == 0) {
    MUST(ioperm(0x80, 2, 0) == 0);
    victim_wait();
    check_ports(false, false);
    victim_child_done();
  }
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  check_ports(true, false);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  victim_join(child);
  return victim_done();
}
