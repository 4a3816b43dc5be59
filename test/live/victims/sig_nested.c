// Dumped inside handlers: one on an alternate stack that interrupted another on the thread's own stack, masks and
// return values as they were; and an alternate stack that disarms itself (SS_AUTODISARM) while its handler runs.
#include "victim.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char first_stack[65536], second_stack[65536];
static volatile int depth, inner_ok, outer_ok;

static bool blocked(int signo) {
  sigset_t now;
  return sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, signo) == 1;
}

static void inner(int signo, siginfo_t* info, void* context) {
  (void)context;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0), stack = (uintptr_t)first_stack;
  stack_t now;
  depth++;
  victim_ready();  // here falls the dump
  CHECK(here >= stack && here < stack + sizeof first_stack, "not on the alternate stack");
  CHECK(sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE), "not disarmed: flags 0x%x", now.ss_flags);
  CHECK(blocked(signo) && blocked(SIGUSR1) && !blocked(SIGTERM));
  CHECK_EQ(info->si_value.sival_int, 77);
  stack_t second = {.ss_sp = second_stack, .ss_size = sizeof second_stack};
  CHECK(sigaltstack(&second, NULL) == 0, "a disarmed stack may be replaced");
  inner_ok = 1;
}

static void outer(int signo) {
  volatile double x = 1.25;
  depth++;
  MUST(sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77}) == 0);
  CHECK(blocked(signo) && !blocked(SIGUSR2));
  CHECK(x == 1.25);
  outer_ok = inner_ok;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  stack_t set = {.ss_sp = first_stack, .ss_size = sizeof first_stack, .ss_flags = (int)SS_AUTODISARM}, now;
  if (sigaltstack(&set, NULL) != 0) victim_skip("no SS_AUTODISARM");
  struct sigaction one = {.sa_handler = outer, .sa_flags = SA_RESTART | SA_ONSTACK};
  struct sigaction two = {.sa_sigaction = inner, .sa_flags = SA_SIGINFO};
  MUST(sigaction(SIGUSR1, &one, NULL) == 0 && sigaction(SIGUSR2, &two, NULL) == 0);
  raise(SIGUSR1);
  CHECK_EQ(depth, 2);
  CHECK_EQ(outer_ok, 1);
  CHECK(!blocked(SIGUSR1) && !blocked(SIGUSR2));
  // sigreturn arms the first one again
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == (void*)first_stack, "the stack is not armed again");
  CHECK_EQ((unsigned)now.ss_flags, SS_AUTODISARM);
  return victim_done();
}
