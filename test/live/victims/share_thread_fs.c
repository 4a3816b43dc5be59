// A thread with a working directory and umask of its own (unshare(CLONE_FS)).
#include <sched.h>

#include "victim.h"

static atomic_int started;

static void* work(void* unused) {
  MUST(unshare(CLONE_FS) == 0);
  MUST(chdir("/usr") == 0);
  umask(0123);
  started = 1;
  victim_wait();
  char cwd[100];
  CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, "/usr") == 0, "%s", cwd);
  CHECK_EQ(umask(0), 0123);
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t t;
  MUST(chdir("/") == 0);
  umask(022);
  MUST(pthread_create(&t, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  char cwd[100];
  CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, "/") == 0, "%s", cwd);
  CHECK_EQ(umask(0), 022);
  pthread_kill(t, VICTIM_GO);
  CHECK(pthread_join(t, NULL) == 0);
  return victim_done();
}
