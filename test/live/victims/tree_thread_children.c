// Children of a thread other than the leader, one by CLONE_PARENT, and one whose exit signal is not SIGCHLD.
#include "share.h"

static pid_t sibling, mine;
static atomic_int started;

static int wait_and_exit(void* code) {
  victim_wait();
  _exit((int)(long)code);
}

static void* work(void* unused) {
  (void)unused;
  mine = share_clone(wait_and_exit, (void*)61, 0);
  started = 1;
  victim_wait();
  // __WNOTHREAD: only children of this thread count
  int status = 0;
  victim_go(mine);
  CHECK(waitpid(mine, &status, __WNOTHREAD) == mine && WEXITSTATUS(status) == 61, "0x%x errno %d", status, errno);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  enum { SIZE = 65536 };
  static char stack[SIZE];
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  pid_t odd = clone(wait_and_exit, stack + SIZE, SIGUSR1, (void*)62);
  MUST(odd > 0);
  pid_t child = fork();
  if (child == 0) {
    // CLONE_PARENT: the new process is this one's sibling
    sibling = share_clone(wait_and_exit, (void*)63, CLONE_PARENT);
    victim_wait();
    CHECK(waitpid(sibling, NULL, WNOHANG) == -1 && errno == ECHILD);
    victim_go(sibling);
    victim_child_done();
  }
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  int status = 0;
  CHECK(waitpid(odd, &status, WNOHANG) == -1 && errno == ECHILD, "the odd child counts as an ordinary one");
  victim_go(odd);
  siginfo_t info = {0};
  struct timespec limit = {5, 0};
  CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGUSR1);
  CHECK_EQ(info.si_pid, odd);
  CHECK(waitpid(odd, &status, __WCLONE) == odd && WEXITSTATUS(status) == 62, "0x%x", status);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  victim_join(child);
  CHECK(wait(&status) > 0 && WEXITSTATUS(status) == 63, "0x%x", status);
  return victim_done();
}
