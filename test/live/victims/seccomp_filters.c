// Seccomp filters: stacked, inherited by a child and a thread, one only of a thread, with the log flag; none in a
// sibling.
#include "seccomp.h"

static atomic_int started;

static void* work(void* unused) {
  (void)unused;
  MUST(filter_install(SYS_getpgrp, DENY(33), 0) == 0);
  started = 1;
  victim_wait();
  CHECK(syscall(SYS_getpgrp) == -1 && errno == 33);
  CHECK(syscall(SYS_sync) == -1 && errno == 34);
  CHECK(syscall(SYS_getppid) == -1 && errno == 35);
  CHECK_EQ(victim_status("/proc/thread-self/status", "Seccomp_filters", 10), 4);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t before = fork();
  if (before == 0) {
    victim_wait();
    CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
    CHECK(syscall(SYS_getppid) > 0);
    victim_child_done();
  }
  // no no_new_privs: root may install filters without it, and it must not appear by the restore
  MUST(filter_install(SYS_sync, DENY(1), 0) == 0);
  MUST(filter_install(SYS_sync, DENY(34), SECCOMP_FILTER_FLAG_LOG) ==
       0);  // the latest answer of equal precedence counts
  MUST(filter_install(SYS_getppid, DENY(35), SECCOMP_FILTER_FLAG_SPEC_ALLOW) == 0);
  pid_t after = fork();
  if (after == 0) {
    victim_wait();
    CHECK(syscall(SYS_sync) == -1 && errno == 34);
    CHECK(syscall(SYS_getppid) == -1 && errno == 35);
    CHECK(syscall(SYS_getpgrp) > 0);
    victim_child_done();
  }
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();

  victim_ready();

  CHECK_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER);
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
  CHECK(syscall(SYS_sync) == -1 && errno == 34);
  CHECK(syscall(SYS_getppid) == -1 && errno == 35);
  CHECK(syscall(SYS_getpgrp) > 0);
  CHECK_EQ(victim_status("/proc/self/status", "Seccomp_filters", 10), 3);
  victim_join(before);
  victim_join(after);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
