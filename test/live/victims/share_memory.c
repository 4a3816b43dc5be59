// Processes that share memory (CLONE_VM), one also its signal actions (CLONE_SIGHAND), one also its descriptor table.
#include "share.h"

static volatile int written[2];

static int plain(void* unused) {
  (void)unused;
  victim_wait();
  written[0] = getpid();
  _exit(0);
}

static int with_actions(void* unused) {
  (void)unused;
  victim_wait();
  struct sigaction action = {0};
  action.sa_handler = SIG_IGN;
  sigaction(SIGUSR2, &action, NULL);
  written[1] = getpid();
  _exit(0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t a = share_clone(plain, NULL, CLONE_VM),
        b = share_clone(with_actions, NULL, CLONE_VM | CLONE_SIGHAND | CLONE_FILES);
  victim_ready();
  pid_t me = getpid();
  CHECK(share_same(me, a, 1) && !share_same(me, a, 2) && !share_same(me, a, 4));
  CHECK(share_same(me, b, 1) && share_same(me, b, 2) && share_same(me, b, 4));
  victim_join(a);
  victim_join(b);
  CHECK_EQ(written[0], a);
  CHECK_EQ(written[1], b);
  struct sigaction action;
  CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
  return victim_done();
}
