// A small tree with threads, a pipe and a timer goes through 20 rounds of dump and restore.
// rounds: 20
// timeout: 60
#include "victim.h"

static int ends[2];
static volatile long beats;
static volatile int stop;

static void* work(void* argument) {
  pid_t tid = victim_tid();
  char c;
  while (read(ends[0], &c, 1) == 1) {
    CHECK_EQ(c, 'x');
    CHECK_EQ(victim_tid(), tid);
  }
  return argument;
}

static void* spin(void* argument) {
  while (!stop) {
    beats++;
    __builtin_ia32_pause();
  }
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(pipe(ends) == 0);
  char* memory = (char*)malloc(1 << 20);
  victim_fill(memory, 1 << 20, 3);
  pid_t me = getpid(), child = fork();
  if (child == 0) {
    close(ends[0]), close(ends[1]);
    MUST(setpgid(0, 0) == 0);
    victim_wait();
    CHECK_EQ(victim_compare(memory, 1 << 20, 3), -1);
    CHECK_EQ(getpgid(0), getpid());
    CHECK_EQ(getppid(), me);
    victim_child_done();
  }
  pthread_t reader, spinner;
  MUST(pthread_create(&reader, NULL, work, ends) == 0 && pthread_create(&spinner, NULL, spin, memory) == 0);
  victim_ready();
  long before = beats;
  while (beats == before) sched_yield();
  stop = 1;
  CHECK_EQ(write(ends[1], "xxx", 3), 3);
  close(ends[1]);
  void* value = NULL;
  CHECK(pthread_join(reader, &value) == 0 && value == ends);
  CHECK(pthread_join(spinner, &value) == 0 && value == memory);
  CHECK_EQ(victim_compare(memory, 1 << 20, 3), -1);
  victim_join(child);
  return victim_done();
}
