// The three interval timers: value, interval, and that they fire.
#include <sys/time.h>

#include "victim.h"

static volatile sig_atomic_t alarms, virtuals, profs;

static void handler(int signal) {
  if (signal == SIGALRM) alarms++;
  if (signal == SIGVTALRM) virtuals++;
  if (signal == SIGPROF) profs++;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct sigaction action = {0};
  action.sa_handler = handler;
  for (int i = 0; i < 3; i++) MUST(sigaction((int[]){SIGALRM, SIGVTALRM, SIGPROF}[i], &action, NULL) == 0);
  struct itimerval real = {{0, 20000}, {100, 0}}, virtual = {{5, 7000}, {0, 30000}}, prof = {{0, 9000}, {900, 0}}, now;
  MUST(setitimer(ITIMER_REAL, &real, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &virtual, NULL) == 0 &&
       setitimer(ITIMER_PROF, &prof, NULL) == 0);

  victim_ready();

  CHECK(getitimer(ITIMER_REAL, &now) == 0);
  CHECK_EQ(now.it_interval.tv_usec, 20000);
  CHECK(now.it_value.tv_sec >= 60 && now.it_value.tv_sec <= 100, "real has %ld s left", now.it_value.tv_sec);
  CHECK(getitimer(ITIMER_PROF, &now) == 0);
  CHECK_EQ(now.it_interval.tv_usec, 9000);
  CHECK(now.it_value.tv_sec >= 890 && now.it_value.tv_sec <= 900, "prof has %ld s left", now.it_value.tv_sec);
  CHECK(getitimer(ITIMER_VIRTUAL, &now) == 0);
  CHECK_EQ(now.it_interval.tv_sec, 5);
  CHECK_EQ(now.it_interval.tv_usec, 7000);
  CHECK_EQ(alarms, 0);
  CHECK_EQ(profs, 0);
  CHECK_EQ(virtuals, 0);
  double end = victim_now(CLOCK_MONOTONIC) + 10;
  while (!virtuals && victim_now(CLOCK_MONOTONIC) < end)
    for (volatile int i = 0; i < 1000; i++) {
    }
  CHECK_EQ(virtuals, 1);
  struct itimerval soon = {{0, 20000}, {0, 1000}};
  CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
  while (alarms < 3 && victim_now(CLOCK_MONOTONIC) < end) pause();
  CHECK(alarms >= 3);
  return victim_done();
}
