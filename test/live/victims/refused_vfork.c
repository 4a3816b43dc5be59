// A vfork child in flight: the kernel stops no thread that waits for it. Refused after --timeout; both go on.
// flavours: refused
// dump: --timeout 1
// refused: pid \d+ thread \d+.*vfork\(2\) for its child pid \d+.*--timeout
#include "share.h"

static volatile int child_wrote;
static atomic_int child_pid;

static void* vforker(void* unused) {
  (void)unused;
  pid_t pid = vfork();
  if (pid == 0) {
    child_pid = (int)syscall(SYS_getpid);
    sigset_t go;
    sigemptyset(&go);
    sigaddset(&go, VICTIM_GO);
    while (syscall(SYS_rt_sigtimedwait, &go, NULL, NULL, 8) < 0) {
    }
    child_wrote = 1;
    _exit(9);
  }
  CHECK_EQ(child_wrote, 1);
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, vforker, NULL) == 0);
  while (!child_pid) sched_yield();
  victim_ready();
  CHECK_EQ(child_wrote, 0);
  victim_go(child_pid);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
