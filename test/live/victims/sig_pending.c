// Pending signals of the process and of single threads: who sent them and how, values, and the order of real-time ones.
#include "signals.h"

static atomic_int started;
static pid_t child;

static void block(void) {
  sigset_t set;
  sigfillset(&set);
  pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static void* work(void* argument) {
  (void)argument;
  siginfo_t info;
  started = victim_tid();
  victim_wait();
  CHECK_EQ(signal_take(SIGUSR2, &info), SIGUSR2);
  CHECK_EQ(info.si_code, SI_TKILL);
  CHECK_EQ(info.si_pid, getpid());
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(signal_take(SIGRTMIN + 2, &info), SIGRTMIN + 2);
    CHECK_EQ(info.si_code, -77 - i);
    CHECK_EQ(info.si_value.sival_int, 5000 + i);
  }
  CHECK_EQ(signal_take(SIGRTMIN + 2, &info), -1);
  CHECK_EQ(signal_take(SIGHUP, &info), SIGHUP);  // the process's
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(info.si_pid, child);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  block();
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  child = fork();
  if (child == 0) _exit(kill(getppid(), SIGHUP));
  siginfo_t info;
  MUST(waitid(P_PID, child, &info, WEXITED) == 0 && info.si_status == 0);
  pid_t me = getpid();
  MUST(syscall(SYS_tgkill, me, started, SIGUSR2) == 0);
  for (int i = 0; i < 3; i++) {
    siginfo_t raw = {0};
    raw.si_signo = SIGRTMIN + 2;
    raw.si_code = -77 - i;
    raw.si_value.sival_int = 5000 + i;
    MUST(syscall(SYS_rt_tgsigqueueinfo, me, started, SIGRTMIN + 2, &raw) == 0);
  }
  for (int i = 0; i < 20; i++)
    MUST(sigqueue(me, SIGRTMIN + 1 + i % 2 * 5, (union sigval){.sival_ptr = (void*)(0x100000000l + i)}) == 0);
  MUST(sigqueue(me, SIGUSR1, (union sigval){.sival_int = -3}) == 0);
  raise(SIGTERM);

  victim_ready();

  for (int i = 0; i < 20; i++) {
    int wanted = SIGRTMIN + 1 + i % 2 * 5;
    CHECK_EQ(signal_take(wanted, &info), wanted);
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_EQ(info.si_value.sival_ptr, (void*)(0x100000000l + i));
    CHECK_EQ(info.si_pid, me);
    CHECK_EQ(info.si_uid, getuid());
  }
  CHECK_EQ(signal_take(SIGUSR1, &info), SIGUSR1);
  CHECK_EQ(info.si_value.sival_int, -3);
  CHECK_EQ(signal_take(SIGTERM, &info), SIGTERM);
  CHECK_EQ(info.si_code, SI_TKILL);
  CHECK_EQ(signal_take(SIGCHLD, &info), SIGCHLD);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(signal_take(SIGUSR2, &info), -1);  // the thread's
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  sigset_t left;
  sigpending(&left);
  for (int s = 1; s <= 64; s++) CHECK(sigismember(&left, s) != 1, "signal %d was never sent", s);
  return victim_done();
}
