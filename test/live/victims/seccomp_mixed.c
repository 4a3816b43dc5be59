// Threads of one process under strict mode, under a filter of their own, and under none; a leader with as many filters
// as some sandboxes have, one of the largest size, some that raise SIGSYS or log; a child that has more of them and is
// another user.
// leaders: any
#include "seccomp.h"

enum { MANY = 32, LARGEST = BPF_MAXINSNS };
static atomic_int started;
static volatile int trapped;

static void on_sigsys(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  trapped = info->si_syscall;
}

static void* strict(void* argument) {
  int* ends = argument;
  char c = 0;
  MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
  started++;
  if (read(ends[0], &c, 1) == 1 && write(ends[1], &c, 1) == 1) syscall(SYS_exit, 0);
  syscall(SYS_exit, 1);
  return NULL;
}

static void* filtered(void* argument) {
  MUST(filter_install(SYS_getpgrp, DENY(77), 0) == 0);
  started++;
  victim_wait();
  CHECK(syscall(SYS_getpgrp) == -1 && errno == 77);
  CHECK(syscall(SYS_sync) == 0);
  return argument;
}

static void* unconfined(void* argument) {
  started++;
  victim_wait();
  CHECK(syscall(SYS_getpgrp) > 0);
  CHECK_EQ(victim_status("/proc/thread-self/status", "Seccomp", 10), SECCOMP_MODE_DISABLED);
  return argument;
}

static void install_largest(void) {
  static struct sock_filter code[LARGEST];
  for (int i = 0; i < LARGEST - 1; i++) code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, (unsigned)i);
  code[LARGEST - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {LARGEST, code};
  MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

static void child_main(int ready) {
  MUST(filter_install(SYS_geteuid, DENY(5), 0) == 0);
  MUST(setresuid(1000, 1000, 1000) == 0);
  MUST(write(ready, "r", 1) == 1);
  victim_wait();
  CHECK(syscall(SYS_geteuid) == -1 && errno == 5);
  CHECK(syscall(SYS_sync) == -1 && errno == 10 + MANY - 1);
  victim_child_done();
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  MUST(sigaction(SIGSYS, &action, NULL) == 0);
  int down[2], up[2], born[2];
  char c = 0;
  MUST(pipe(down) == 0 && pipe(up) == 0 && pipe(born) == 0);
  int ends[2] = {down[0], up[1]};
  pthread_t thread[3];
  MUST(pthread_create(&thread[0], NULL, strict, ends) == 0);
  MUST(pthread_create(&thread[1], NULL, filtered, NULL) == 0);
  MUST(pthread_create(&thread[2], NULL, unconfined, NULL) == 0);
  while (started < 3) sched_yield();
  for (unsigned i = 0; i < MANY; i++) MUST(filter_install(SYS_sync, DENY(10 + i), 0) == 0);
  MUST(filter_install(SYS_getppid, SECCOMP_RET_TRAP, 0) == 0);
  MUST(filter_install(SYS_getegid, SECCOMP_RET_LOG, 0) == 0);
  install_largest();
  pid_t child = fork();
  if (child == 0) child_main(born[1]);
  MUST(read(born[0], &c, 1) == 1);

  victim_ready();

  CHECK(syscall(SYS_sync) == -1 && errno == 10 + MANY - 1);
  syscall(SYS_getppid);
  CHECK_EQ(trapped, SYS_getppid);
  CHECK_EQ(victim_status("/proc/self/status", "Seccomp_filters", 10), MANY + 3);
  CHECK(write(down[1], "x", 1) == 1 && read(up[0], &c, 1) == 1 && c == 'x');
  for (int i = 1; i < 3; i++) {
    pthread_kill(thread[i], VICTIM_GO);
    CHECK(pthread_join(thread[i], NULL) == 0);
  }
  victim_join(child);
  return victim_done();
}
