// A stopped process with threads in all kinds of calls, and signals that came while it was stopped: nothing runs before
// SIGCONT, then all go on and the signals are handled.
#include <poll.h>

#include "victim.h"

static atomic_int started, ended;
static atomic_long* counter;  // [0] of rounds, [1] the child is ready
static int ends[2];
static atomic_int usr1, usr2;

static void on_signal(int s) { *(s == SIGUSR1 ? &usr1 : &usr2) += 1; }

static void* spin(void* unused) {
  started++;
  while (!ended) {
    counter[0]++;
    sched_yield();
  };
  return unused;
}
static void* wait_pipe(void* unused) {
  char c = 0;
  started++;
  CHECK_EQ(read(ends[0], &c, 1), 1);
  CHECK_EQ(c, 'x');
  return unused;
}
static void* wait_poll(void* unused) {
  started++;
  int left = 300;
  while (poll(NULL, 0, left) != 0) CHECK_EQ(errno, EINTR);
  return unused;
}

static void child(void) {
  signal(SIGUSR1, on_signal);
  signal(SIGUSR2, on_signal);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  pthread_t t[3];
  MUST(pthread_create(&t[0], NULL, spin, NULL) == 0);
  MUST(pthread_create(&t[1], NULL, wait_pipe, NULL) == 0);
  MUST(pthread_create(&t[2], NULL, wait_poll, NULL) == 0);
  while (started < 3) sched_yield();
  counter[1] = 1;
  victim_wait();
  while (usr1 == 0) sched_yield();  // any thread may have taken it and not have run yet
  CHECK_EQ(usr1, 1);
  CHECK_EQ(usr2, 0);
  MUST(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
  CHECK_EQ(usr2, 1);
  CHECK(write(ends[1], "x", 1) == 1);
  ended = 1;
  for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
  victim_child_done();
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) child();
  while (!counter[1]) sched_yield();
  siginfo_t info;
  MUST(kill(pid, SIGSTOP) == 0 && waitid(P_PID, pid, &info, WSTOPPED) == 0);
  MUST(kill(pid, SIGUSR1) == 0 && kill(pid, SIGUSR2) == 0);
  long before = counter[0];
  victim_ready();
  CHECK_EQ(counter[0], before);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  CHECK(strstr(victim_slurp(path), "State:\tT (stopped)") != NULL);
  CHECK(kill(pid, SIGCONT) == 0);
  victim_join(pid);
  return victim_done();
}
