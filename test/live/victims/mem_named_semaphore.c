// Named POSIX semaphores: the C library makes their files under a passing name, which is all that the mapping shows.
// One is still in /dev/shm and shared with a child that opened it by its name, one has been unlinked.
// ignore: maps$
// ignore: map$
#include <semaphore.h>
#include <time.h>

#include "victim.h"

/// Waits until the semaphore can be had, but not for ever.
static int take(sem_t* s) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 20;
  int r;
  while ((r = sem_timedwait(s, &end)) < 0 && errno == EINTR) {
  }
  return r;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char name[64], gone[64];
  snprintf(name, sizeof name, "/nsr-named-%d", getpid());
  snprintf(gone, sizeof gone, "/nsr-gone-%d", getpid());
  sem_t* named = sem_open(name, O_CREAT | O_EXCL, 0600, 3);
  sem_t* unnamed = sem_open(gone, O_CREAT | O_EXCL, 0600, 5);
  MUST(named != SEM_FAILED && unnamed != SEM_FAILED && sem_unlink(gone) == 0);
  pid_t child = fork();
  if (child == 0) {
    sem_t* same = sem_open(name, 0);
    MUST(same != SEM_FAILED && sem_wait(same) == 0);
    victim_wait();
    CHECK(sem_post(same) == 0 && sem_post(unnamed) == 0);
    victim_child_done();
  }
  victim_ready();
  int value = 0;
  victim_join(child);
  CHECK(sem_getvalue(named, &value) == 0 && value == 3, "%d", value);
  CHECK(sem_getvalue(unnamed, &value) == 0 && value == 6, "%d", value);
  sem_t* again = sem_open(name, 0);
  CHECK(again != SEM_FAILED && sem_post(again) == 0 && sem_getvalue(named, &value) == 0 && value == 4);
  for (int i = 0; i < 4; i++) CHECK(take(named) == 0);
  CHECK(sem_unlink(name) == 0);
  return victim_done();
}
