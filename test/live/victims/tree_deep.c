// 500 processes, 5 deep, with mixed sessions and groups; ids, parents, sessions and groups as before.
// timeout: 60
#include "barrier.h"

enum { TOTAL = 500, DEPTH = 5 };
static atomic_int* next;

// Number n has the children 4n+1 .. 4n+4 as long as depth and total allow: 1 + 4 + 16 + 64 + 256, the rest below
// number 1.
static int children_of(int n, int depth, int* first) {
  *first = 4 * n + 1;
  if (depth < DEPTH - 1) return 4;
  return 0;
}

static int run(int n, int depth) {
  int first, count = children_of(n, depth, &first), extra = n == 1 ? TOTAL - 341 : 0;
  pid_t pids[256];
  pid_t sid, pgid, parent = getppid();
  if (n) {
    if (n % 7 == 3)
      MUST(setsid() == getpid());
    else if (n % 3 == 1)
      MUST(setpgid(0, 0) == 0);
  }
  int made = 0;
  for (; made < count + extra; made++) {
    bool leaf = made >= count;
    pids[made] = fork();
    MUST(pids[made] >= 0);
    if (pids[made] == 0) _exit(run(leaf ? 10000 + made : first + made, leaf ? DEPTH : depth + 1));
  }
  pid_t me = getpid();
  sid = getsid(0), pgid = getpgid(0);
  atomic_fetch_add(next, 1);
  syscall(SYS_futex, next, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
  if (n == 0) {
    for (int now; (now = *next) < TOTAL;) syscall(SYS_futex, next, FUTEX_WAIT, now, NULL, NULL, 0);
    victim_announce(NULL);
  }
  victim_wait();
  CHECK_EQ(getpid(), me);
  if (n) CHECK_EQ(getppid(), parent);
  CHECK_EQ(getsid(0), sid);
  CHECK_EQ(getpgid(0), pgid);
  for (int i = 0; i < made; i++) victim_go(pids[i]);
  for (int i = 0; i < made; i++) {
    int status = -1;
    CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0, "child %d: 0x%x", i, status);
  }
  CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
  return victim_failures ? 1 : 0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  barrier_init();
  next = &barrier->count;
  run(0, 0);
  return victim_done();
}
