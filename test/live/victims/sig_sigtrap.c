// SIGTRAP ignored, and blocked in one thread: a debugger's traps would reset both.
#include "victim.h"

static atomic_int started;

static void* work(void* unused) {
  (void)unused;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTRAP);
  sigaddset(&set, SIGSEGV);
  sigaddset(&set, SIGILL);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  started = 1;
  victim_wait();
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, NULL, &now);
  CHECK(sigismember(&now, SIGTRAP) == 1);
  CHECK(sigismember(&now, SIGSEGV) == 1);
  CHECK(sigismember(&now, SIGILL) == 1);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(signal(SIGTRAP, SIG_IGN) != SIG_ERR);
  MUST(signal(SIGSEGV, SIG_IGN) != SIG_ERR);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  struct sigaction action;
  CHECK(sigaction(SIGTRAP, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
  CHECK(sigaction(SIGSEGV, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
  CHECK(raise(SIGTRAP) == 0);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
