// A process that does everything at once: threads that hold AVX and AMX registers, run rseq critical sections, sleep
// and poll with exact durations, wait on condition variables and pipes, while timers and signals come in all the time.
// Each thread verifies its own part continuously and counts what it did; nothing is ever loaded again that a dump could
// have lost. A part that the CPU lacks is left out.
#ifndef NSR_TEST_LIVE_MONSTER_H
#define NSR_TEST_LIVE_MONSTER_H
#include <immintrin.h>
#include <poll.h>
#include <sys/rseq.h>
#include <sys/time.h>

#include "victim.h"

enum {
  MONSTER_AVX,
  MONSTER_AMX,
  MONSTER_RSEQ,
  MONSTER_SLEEP,
  MONSTER_POLL,
  MONSTER_CONDITION,
  MONSTER_PIPE,
  MONSTER_SYSCALL,
  MONSTER_THREADS
};

static struct {
  volatile int stop;
  volatile long count[MONSTER_THREADS];
  bool absent[MONSTER_THREADS];
  volatile long alarms, ticks;
  int ends[2];
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int generation;
  pthread_t thread[MONSTER_THREADS];
  timer_t timer;
  pid_t pid;
} monster = {.mutex = PTHREAD_MUTEX_INITIALIZER, .condition = PTHREAD_COND_INITIALIZER};

static void monster_on_signal(int signal) {
  if (signal == SIGALRM)
    monster.alarms++;
  else
    monster.ticks++;
}

// Half of the time, so that several monsters leave room on a small machine.
static void monster_rest(void) { nanosleep(&(struct timespec){0, 200000}, NULL); }

static void monster_avx(void) {
  static uint64_t pattern[8] = {1, 2, 3, 4, 5, 6, 7, 0xdeadbeef};
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) {
    monster.absent[MONSTER_AVX] = true;
    return;
  }
  while (!monster.stop) {  // one spin of some 100 us without a reload, then the comparison
    uint64_t bad;
    __asm__ volatile(
        "vmovdqu64 %[p],%%zmm17\n vmovdqu64 %[p],%%zmm3\n"
        "mov $0x123456789abcdef,%%rdx\n kmovq %%rdx,%%k5\n"
        "mov $200000,%%rcx\n"
        "1: dec %%rcx\n jnz 1b\n"
        "vpcmpneqq %[p],%%zmm17,%%k1\n kmovq %%k1,%[bad]\n"
        "vpcmpneqq %[p],%%zmm3,%%k1\n kmovq %%k1,%%rcx\n or %%rcx,%[bad]\n"
        "kmovq %%k5,%%rcx\n xor %%rdx,%%rcx\n or %%rcx,%[bad]\n"
        "vzeroupper\n"
        : [bad] "=&r"(bad)
        : [p] "m"(pattern)
        : "rcx", "rdx", "xmm3", "memory", "cc");
    CHECK(bad == 0, "zmm or mask registers: 0x%llx", (unsigned long long)bad);
    monster.count[MONSTER_AVX]++;
    monster_rest();
  }
}

__attribute__((target("amx-tile"))) static void monster_amx(void) {
  struct __attribute__((packed)) {
    unsigned char palette, start_row, reserved[14];
    unsigned short columns[16];
    unsigned char rows[16];
  } config = {.palette = 1};
  static unsigned char in[1024], out[1024];
  if (syscall(SYS_arch_prctl, 0x1023, 18) != 0) {
    monster.absent[MONSTER_AMX] = true;
    return;
  }
  config.columns[0] = 64;
  config.rows[0] = 16;
  victim_fill(in, sizeof in, 8);
  _tile_loadconfig(&config);
  _tile_loadd(0, in, 64);
  while (!monster.stop) {
    nanosleep(&(struct timespec){0, 1000000}, NULL);
    memset(out, 0, sizeof out);
    _tile_stored(0, out, 64);
    CHECK(memcmp(in, out, sizeof in) == 0, "tile data");
    if (victim_failures) break;
    monster.count[MONSTER_AMX]++;
  }
  _tile_release();
}

static void monster_rseq(void) {
  if (__rseq_size == 0) {
    monster.absent[MONSTER_RSEQ] = true;
    return;
  }
  struct rseq* area = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
  volatile long counter = 0;
  for (long wanted = 0; !monster.stop && !victim_failures;) {
    long aborted = 0;
    __asm__ volatile(
        ".pushsection __rseq_cs,\"aw\"\n .balign 32\n 3: .long 0,0\n .quad 1f,2f-1f,4f\n .popsection\n"
        "lea 3b(%%rip),%%rax\n mov %%rax,%[section]\n"
        "1:\n mov $2000,%%rcx\n 5: dec %%rcx\n jnz 5b\n"
        "mov %[counter],%%rax\n inc %%rax\n mov %%rax,%[counter]\n"
        "2:\n jmp 6f\n"
        ".long 0x53053053\n 4: movq $1,%[aborted]\n"
        "6:\n"
        : [counter] "+m"(counter), [aborted] "+r"(aborted), [section] "=m"(area->rseq_cs)::"rax", "rcx", "memory",
          "cc");
    wanted += !aborted;
    CHECK_EQ(counter, wanted);
    monster.count[MONSTER_RSEQ] = counter;
    if (counter % 400 == 0) monster_rest();
  }
}

static void monster_sleep_or_poll(int which) {
  while (!monster.stop) {
    double start = victim_now(CLOCK_MONOTONIC);
    int result = which == MONSTER_POLL ? poll(NULL, 0, 30) : nanosleep(&(struct timespec){0, 30000000}, NULL);
    double took = victim_now(CLOCK_MONOTONIC) - start;
    CHECK(result == 0, "%s gave %d", which == MONSTER_POLL ? "poll" : "nanosleep", result);
    CHECK(took >= 0.03, "%s of 30 ms took %.3f ms", which == MONSTER_POLL ? "poll" : "nanosleep", took * 1000);
    monster.count[which]++;
  }
}

static void monster_condition(void) {
  pthread_mutex_lock(&monster.mutex);
  for (int seen = monster.generation; !monster.stop; seen = monster.generation) {
    while (seen == monster.generation && !monster.stop) pthread_cond_wait(&monster.condition, &monster.mutex);
    monster.count[MONSTER_CONDITION]++;
  }
  pthread_mutex_unlock(&monster.mutex);
}

static void monster_pipe(void) {
  static char stack[65536];
  stack_t set = {.ss_sp = stack, .ss_size = sizeof stack}, now;
  MUST(sigaltstack(&set, NULL) == 0);
  while (!monster.stop) {
    unsigned char byte = 0;
    CHECK_EQ(read(monster.ends[0], &byte, 1), 1);
    CHECK_EQ(byte, monster.count[MONSTER_PIPE] & 255);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack);
    monster.count[MONSTER_PIPE]++;
  }
}

static void monster_syscalls(void) {
  while (!monster.stop) {
    CHECK_EQ(syscall(SYS_getpid), monster.pid);
    char* page = (char*)mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    page[4096] = 1;
    CHECK(mprotect(page, 4096, PROT_NONE) == 0);
    CHECK(munmap(page, 65536) == 0);
    if (++monster.count[MONSTER_SYSCALL] % 50 == 0) monster_rest();
  }
}

static void* monster_thread(void* argument) {
  static __thread long mark;
  long which = (long)argument;
  pid_t tid = victim_tid();
  mark = which * 77;
  switch (which) {
    case MONSTER_AVX:
      monster_avx();
      break;
    case MONSTER_AMX:
      monster_amx();
      break;
    case MONSTER_RSEQ:
      monster_rseq();
      break;
    case MONSTER_CONDITION:
      monster_condition();
      break;
    case MONSTER_PIPE:
      monster_pipe();
      break;
    case MONSTER_SYSCALL:
      monster_syscalls();
      break;
    default:
      monster_sleep_or_poll((int)which);
  }
  CHECK_EQ(mark, which * 77);
  CHECK_EQ(victim_tid(), tid);
  return NULL;
}

// Starts all threads, a periodic interval timer, a periodic POSIX timer, and leaves SIGUSR2 and SIGRTMIN+3 pending.
VICTIM_UNUSED static void monster_start(void) {
  monster.pid = getpid();
  MUST(pipe(monster.ends) == 0);
  signal(SIGTRAP, SIG_IGN);
  struct sigaction action = {0};
  action.sa_handler = monster_on_signal;
  action.sa_flags = SA_RESTART;
  MUST(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGRTMIN + 3);
  sigaddset(&set, SIGALRM);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  for (long i = 0; i < MONSTER_THREADS; i++)
    MUST(pthread_create(&monster.thread[i], NULL, monster_thread, (void*)i) == 0);
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  MUST(sigqueue(monster.pid, SIGRTMIN + 3, (union sigval){.sival_int = 4711}) == 0);
  MUST(pthread_kill(pthread_self(), SIGUSR2) == 0);
  struct itimerval often = {{0, 20000}, {0, 20000}};
  MUST(setitimer(ITIMER_REAL, &often, NULL) == 0);
  struct sigevent event = {0};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  MUST(timer_create(CLOCK_MONOTONIC, &event, &monster.timer) == 0);
  struct itimerspec ticks = {{0, 10000000}, {0, 10000000}};
  MUST(timer_settime(monster.timer, 0, &ticks, NULL) == 0);
}

// One round of the main thread's own work: feeds the pipe and the condition variable.
VICTIM_UNUSED static void monster_feed(void) {
  static unsigned char byte;
  CHECK_EQ(write(monster.ends[1], &byte, 1), 1);
  byte++;
  pthread_mutex_lock(&monster.mutex);
  monster.generation++;
  pthread_cond_broadcast(&monster.condition);
  pthread_mutex_unlock(&monster.mutex);
}

// Every thread does some more work, timers go on, the pending signals are there once; then all threads end.
VICTIM_UNUSED static void monster_verify(void) {
  long before[MONSTER_THREADS], alarms = monster.alarms, ticks = monster.ticks;
  for (int i = 0; i < MONSTER_THREADS; i++) before[i] = monster.count[i];
  double end = victim_now(CLOCK_MONOTONIC) + 10;
  bool all = false;
  while (!all && victim_now(CLOCK_MONOTONIC) < end && !victim_failures) {
    monster_feed();
    all = monster.alarms > alarms + 1 && monster.ticks > ticks + 1;
    for (int i = 0; i < MONSTER_THREADS; i++) all &= monster.absent[i] || monster.count[i] > before[i] + 1;
    poll(NULL, 0, 1);
  }
  for (int i = 0; i < MONSTER_THREADS; i++)
    CHECK(monster.absent[i] || monster.count[i] > before[i] + 1, "thread %d does not go on", i);
  CHECK(monster.alarms > alarms + 1, "the interval timer does not go on");
  CHECK(monster.ticks > ticks + 1, "the POSIX timer does not go on");
  struct itimerspec now;
  CHECK(timer_gettime(monster.timer, &now) == 0 && now.it_interval.tv_nsec == 10000000);
  siginfo_t info;
  sigset_t set;
  struct timespec none = {0, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK_EQ(sigtimedwait(&set, &info, &none), SIGUSR2);
  CHECK_EQ(sigtimedwait(&set, &info, &none), -1);
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 3);
  CHECK_EQ(sigtimedwait(&set, &info, &none), SIGRTMIN + 3);
  CHECK_EQ(info.si_value.sival_int, 4711);
  CHECK_EQ(info.si_code, SI_QUEUE);
  CHECK_EQ(sigtimedwait(&set, &info, &none), -1);
  struct sigaction action;
  CHECK(sigaction(SIGTRAP, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
  monster.stop = 1;
  monster_feed();
  for (int i = 0; i < MONSTER_THREADS; i++) CHECK(pthread_join(monster.thread[i], NULL) == 0);
}
#endif
