// PR_SET_DUMPABLE: 0 and 1 after a change of ids, also where another process shares the memory, and 2, which the kernel
// gives to who changes its ids while fs.suid_dumpable is 2: to one who gave root away, and to one who is root again.
// lock: suid_dumpable
#include <sched.h>

#include "barrier.h"

static const char* const setting = "/proc/sys/fs/suid_dumpable";
static const struct plan {
  uid_t user;
  int dumpable;  // 2: as the kernel gave it
} plans[] = {{1234, 2}, {0, 2}, {1235, 1}, {1236, 0}};
enum { PLANS = sizeof plans / sizeof plans[0] };
static char stack[65536] __attribute__((aligned(16)));
static atomic_int sharer_ready;

static void change_ids(uid_t user) {
  MUST(seteuid(1) == 0 && seteuid(0) == 0);
  if (user) MUST(setresuid(user, user, user) == 0);
}

static pid_t start(const struct plan* plan) {
  pid_t pid = fork();
  if (pid) return pid;
  change_ids(plan->user);
  MUST(prctl(PR_GET_DUMPABLE) == 2);
  if (plan->dumpable != 2) MUST(prctl(PR_SET_DUMPABLE, plan->dumpable) == 0);
  barrier_add();
  victim_wait();
  CHECK_EQ(prctl(PR_GET_DUMPABLE), plan->dumpable);
  CHECK_EQ(geteuid(), plan->user);
  victim_child_done();
  return 0;
}

// In the memory of its parent.
static int share(void* unused) {
  (void)unused;
  MUST(setresuid(1237, 1237, 1237) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
  sharer_ready = 1;
  victim_wait();
  _exit(getuid() == 1237 ? 0 : 1);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  barrier_init();
  int fd = open(setting, O_RDWR | O_CLOEXEC);
  char before;
  if (fd < 0 || pread(fd, &before, 1, 0) != 1) victim_skip("fs.suid_dumpable cannot be set");
  MUST(pwrite(fd, "2", 1, 0) == 1);
  close(fd);
  pid_t child[PLANS];
  for (int i = 0; i < PLANS; i++) child[i] = start(&plans[i]);
  barrier_wait(PLANS);
  pid_t sharer = clone(share, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  MUST(sharer > 0);
  while (!sharer_ready) sched_yield();

  victim_ready();

  CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
  victim_join(sharer);
  for (int i = 0; i < PLANS; i++) victim_join(child[i]);
  fd = open(setting, O_WRONLY | O_CLOEXEC);
  CHECK(pwrite(fd, &before, 1, 0) == 1);
  return victim_done();
}
