// oom_score_adj, timer slack (and its default), coredump filter, personality, THP disable, child subreaper,
// parent-death signal, machine-check policy, IO flusher.
#include <sys/personality.h>

#include "victim.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

static atomic_int started;
static bool flusher;

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

static void* work(void* unused) {
  (void)unused;
  MUST(prctl(PR_SET_TIMERSLACK, 222222) == 0);
  MUST(personality(ADDR_COMPAT_LAYOUT) != -1);
  MUST(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
  started = 1;
  victim_wait();
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 222222);
  CHECK_EQ(personality(0xffffffff), ADDR_COMPAT_LAYOUT);
  int death = 0;
  CHECK(prctl(PR_GET_PDEATHSIG, &death) == 0 && death == SIGUSR2, "%d", death);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  put("/proc/self/oom_score_adj", "321");
  put("/proc/self/coredump_filter", "0x1f");
  MUST(prctl(PR_SET_TIMERSLACK, 333333) == 0);
  MUST(personality(ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS) != -1);
  MUST(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  MUST(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
  flusher = prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0;  // needs CAP_SYS_RESOURCE
  pid_t child = fork();
  if (child == 0) {
    MUST(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
    MUST(personality(0) != -1);
    victim_wait();
    int death = 0;
    CHECK(prctl(PR_GET_PDEATHSIG, &death) == 0 && death == SIGTERM, "%d", death);
    CHECK_EQ(personality(0xffffffff), 0);
    int reaper = -1;
    CHECK(prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0 && reaper == 0);
    CHECK_EQ(atoi(victim_slurp("/proc/self/oom_score_adj")), 321);
    victim_child_done();
  }
  victim_ready();
  CHECK_EQ(atoi(victim_slurp("/proc/self/oom_score_adj")), 321);
  CHECK_EQ(strtol(victim_slurp("/proc/self/coredump_filter"), NULL, 16), 0x1f);
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 333333);
  CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS);
  CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
  int reaper = -1;
  CHECK(prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0 && reaper == 1);
  CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
  if (flusher) CHECK_EQ(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 1);
  victim_join(child);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
