// Pending signals of every origin that a siginfo can tell (si_code), each with all its fields; hundreds of real-time
// ones in order, for the process and for a thread.
// ignore: status SigPnd|status ShdPnd
#include "signals.h"

enum { RT = 35 };  // SIGRTMIN is no constant
static const struct {
  int signo, code;
} plans[] = {
    {SIGIO, SI_ASYNCIO},  {RT, SI_ASYNCIO},       {RT, SI_SIGIO},         {RT, SI_MESGQ},       {RT, SI_QUEUE},
    {RT, SI_TIMER},       {RT, SI_USER},          {RT, SI_TKILL},         {RT, SI_KERNEL},      {RT, -60},
    {RT + 1, POLL_IN},    {RT + 1, POLL_HUP},     {SIGSEGV, SEGV_MAPERR}, {SIGBUS, BUS_ADRALN}, {SIGFPE, FPE_INTDIV},
    {SIGILL, ILL_ILLOPN}, {SIGCHLD, CLD_STOPPED}, {SIGTRAP, TRAP_TRACE},  {SIGURG, SI_SIGIO},   {SIGSYS, 1},
    {SIGPWR, SI_QUEUE},   {SIGTTIN, SI_USER},     {SIGWINCH, SI_KERNEL},  {SIGALRM, SI_KERNEL},
};
enum { PLANS = sizeof plans / sizeof plans[0], MANY = 300 };
static siginfo_t for_process[PLANS], for_thread[PLANS];
static atomic_int started;

static void queue(bool thread, int signo, siginfo_t* si) {
  if (thread)
    MUST(syscall(SYS_rt_tgsigqueueinfo, getpid(), victim_tid(), signo, si) == 0);
  else
    MUST(syscall(SYS_rt_sigqueueinfo, getpid(), signo, si) == 0);
}

// Only its own task may send a signal with any code. list: what the kernel gives back of each.
static void fill(bool thread, siginfo_t* list) {
  siginfo_t made[PLANS];
  for (int i = 0; i < PLANS; i++) {
    unsigned char* bytes = (unsigned char*)&made[i];
    for (size_t k = 0; k < sizeof made[i]; k++) bytes[k] = (unsigned char)(k < 48 ? i * 7 + thread * 3 + k : 0);
    made[i].si_signo = plans[i].signo;
    made[i].si_errno = i;
    made[i].si_code = plans[i].code;
    queue(thread, plans[i].signo, &made[i]);
    MUST(signal_take(plans[i].signo, &list[i]) == plans[i].signo);
  }
  for (int i = 0; i < PLANS; i++) queue(thread, plans[i].signo, &made[i]);
  for (int i = 0; i < MANY; i++) {
    siginfo_t si = {.si_code = SI_QUEUE};
    si.si_value.sival_int = i;
    si.si_pid = 100 + i;
    si.si_uid = 200 + i;
    queue(thread, RT + 3 + i % 3, &si);
  }
}

static void verify(bool thread, const siginfo_t* list) {
  siginfo_t info;
  for (int i = 0; i < PLANS; i++) {
    CHECK_EQ(signal_take(plans[i].signo, &info), plans[i].signo);
    CHECK(memcmp(&info, &list[i], sizeof info) == 0, "thread %d, %d: code %d errno %d", thread, i, info.si_code,
          info.si_errno);
  }
  for (int i = 0; i < MANY; i++) {
    CHECK_EQ(signal_take(RT + 3 + i % 3, &info), RT + 3 + i % 3);
    CHECK_EQ(info.si_value.sival_int, i);
    CHECK_EQ(info.si_pid, 100 + i);
    CHECK_EQ(info.si_uid, 200 + i);
  }
}

static void* work(void* argument) {
  fill(true, for_thread);
  started = 1;
  victim_wait();
  verify(true, for_thread);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  sigset_t all;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  fill(false, for_process);
  victim_ready();
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  verify(false, for_process);
  return victim_done();
}
