// The action of every signal: handler, mask, flags and restorer, read back by the raw system call.
#include "victim.h"

struct kernel_action {
  void* handler;
  unsigned long flags;
  void* restorer;
  uint64_t mask;
};

static void handler(int signal) { (void)signal; }

static void other(int signal, siginfo_t* info, void* context) { (void)signal, (void)info, (void)context; }

static int action_of(int signal, const struct kernel_action* set, struct kernel_action* get) {
  return (int)syscall(SYS_rt_sigaction, signal, set, get, 8);
}

int main(int argc, char** argv) {
  static const unsigned long flags[] = {SA_RESTART,   SA_NODEFER,   SA_RESETHAND,           SA_ONSTACK,
                                        SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO | SA_RESTART};
  static struct kernel_action wanted[65], found;
  victim_init(argc, argv);
  struct kernel_action libc_made;
  struct sigaction by_libc = {0};
  by_libc.sa_handler = handler;
  MUST(sigaction(SIGUSR1, &by_libc, NULL) == 0 && action_of(SIGUSR1, NULL, &libc_made) == 0);
  for (int s = 1; s <= 64; s++) {
    if (s == SIGKILL || s == SIGSTOP) continue;
    struct kernel_action set = {0};
    switch (s % 5) {
      case 0:
        set.handler = SIG_IGN;
        break;
      case 1:
        set.handler = SIG_DFL;
        break;
      case 2:
        set.handler = (void*)handler;
        break;
      default:
        set.handler = (void*)other;
        break;
    }
    set.flags = (s % 5 > 1 ? 0x04000000 : 0) | flags[s % 7];
    set.restorer = libc_made.restorer;
    set.mask = 0x0101010101010101u * (unsigned)(s * 3) & ~((1ul << (SIGKILL - 1)) | (1ul << (SIGSTOP - 1)));
    if (s == SIGCHLD) set.flags &= ~(unsigned long)SA_NOCLDWAIT;
    MUST(action_of(s, &set, NULL) == 0);
    MUST(action_of(s, NULL, &wanted[s]) == 0);
  }
  victim_ready();
  for (int s = 1; s <= 64; s++) {
    if (s == SIGKILL || s == SIGSTOP) continue;
    CHECK(action_of(s, NULL, &found) == 0);
    CHECK(found.handler == wanted[s].handler, "signal %d handler %p", s, found.handler);
    CHECK(found.flags == wanted[s].flags, "signal %d flags 0x%lx, not 0x%lx", s, found.flags, wanted[s].flags);
    CHECK(found.restorer == wanted[s].restorer, "signal %d restorer %p", s, found.restorer);
    CHECK(found.mask == wanted[s].mask, "signal %d mask 0x%llx", s, (unsigned long long)found.mask);
  }
  return victim_done();
}
