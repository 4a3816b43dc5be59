// Signals pending from their real sources, with all that the kernel says of them.
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "signals.h"

enum { POLL_SIG = 40, MQ_SIG, QUEUE_SIG, TKILL_SIG };
static siginfo_t before[65];
static int taken[] = {SIGUSR1, SIGCHLD, SIGPIPE,  SIGALRM, SIGVTALRM, SIGXFSZ,
                      SIGIO,   SIGURG,  POLL_SIG, MQ_SIG,  QUEUE_SIG, TKILL_SIG};

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGSEGV);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  int pp[2], sp[2];
  MUST(pipe(pp) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sp) == 0);
  pid_t child = fork();
  if (child == 0) {
    union sigval v = {.sival_int = 77};
    kill(getppid(), SIGUSR1);
    sigqueue(getppid(), QUEUE_SIG, v);
    syscall(SYS_tgkill, getppid(), getppid(), TKILL_SIG);
    _exit(9);
  }
  siginfo_t info;
  MUST(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
  close(pp[0]);
  MUST(write(pp[1], "x", 1) < 0 && errno == EPIPE);
  MUST(fcntl(sp[0], F_SETOWN, getpid()) == 0 && fcntl(sp[0], F_SETFL, O_ASYNC) == 0);
  int ep[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ep) == 0);
  MUST(fcntl(ep[0], F_SETOWN, getpid()) == 0 && fcntl(ep[0], F_SETSIG, POLL_SIG) == 0 &&
       fcntl(ep[0], F_SETFL, O_ASYNC) == 0);
  MUST(write(sp[1], "y", 1) == 1 && write(ep[1], "y", 1) == 1);
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 8};
  char name[32];
  snprintf(name, sizeof name, "/nsr-sig-%d", getpid());
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a);
  MUST(q >= 0);
  mq_unlink(name);
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = MQ_SIG};
  ev.sigev_value.sival_int = 5;
  MUST(mq_notify(q, &ev) == 0 && mq_send(q, "m", 1, 0) == 0);
  mq_close(q);
  struct rlimit r;
  MUST(getrlimit(RLIMIT_FSIZE, &r) == 0);
  r.rlim_cur = 100;
  MUST(setrlimit(RLIMIT_FSIZE, &r) == 0);
  int f = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600);
  MUST(pwrite(f, "z", 1, 200) < 0 && errno == EFBIG);
  close(f);
  r.rlim_cur = r.rlim_max;
  MUST(setrlimit(RLIMIT_FSIZE, &r) == 0);
  struct itimerval t = {{0, 0}, {0, 1}};
  setitimer(ITIMER_REAL, &t, NULL);
  setitimer(ITIMER_VIRTUAL, &t, NULL);
  for (;;) {
    sigset_t p;
    sigpending(&p);
    if (sigismember(&p, SIGALRM) && sigismember(&p, SIGVTALRM)) break;
  }
  kill(getpid(), SIGURG);
  // what they hold is known by taking them and queueing them again
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    MUST(signal_take(taken[i], &before[taken[i]]) == taken[i]);
    if (taken[i] == TKILL_SIG)
      MUST(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), taken[i], &before[taken[i]]) == 0);
    else
      MUST(syscall(SYS_rt_sigqueueinfo, getpid(), taken[i], &before[taken[i]]) == 0);
  }
  victim_ready();
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    CHECK_EQ(signal_take(taken[i], &info), taken[i]);
    CHECK(memcmp(&info, &before[taken[i]], sizeof info) == 0, "signal %d code %d/%d", taken[i], info.si_code,
          before[taken[i]].si_code);
  }
  CHECK(waitpid(child, NULL, WNOHANG) == child);
  return victim_done();
}
