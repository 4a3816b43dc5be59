// timerfd: each clock, one-shot, periodic with expirations not read, absolute with cancel-on-set, disarmed.
// ignore: fd \d+ info$
// ignore: taskstate
#include <sys/timerfd.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
  int fds[3], periodic, absolute, idle;
  for (int i = 0; i < 3; i++) {
    fds[i] = timerfd_create(clocks[i], TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec t = {.it_value = {5000, 7}, .it_interval = {300, 9}};
    MUST(fds[i] >= 0 && timerfd_settime(fds[i], 0, &t, NULL) == 0);
  }
  periodic = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec t = {.it_value = {0, 1}, .it_interval = {9000, 0}}, now;
  MUST(timerfd_settime(periodic, 0, &t, NULL) == 0);
  absolute = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  t = (struct itimerspec){.it_value = {time(NULL) + 6000, 0}};
  MUST(timerfd_settime(absolute, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL) == 0);
  idle = timerfd_create(CLOCK_BOOTTIME, 0);
  MUST(idle >= 0);

  victim_ready();

  uint64_t ticks = 0;
  for (int i = 0; i < 3; i++) {
    CHECK(timerfd_gettime(fds[i], &now) == 0);
    CHECK(now.it_value.tv_sec > 4900 && now.it_value.tv_sec <= 5000, "clock %d: %ld s", clocks[i],
          (long)now.it_value.tv_sec);
    CHECK(now.it_interval.tv_sec == 300 && now.it_interval.tv_nsec == 9);
    CHECK(read(fds[i], &ticks, 8) < 0 && errno == EAGAIN);
  }
  CHECK(read(periodic, &ticks, 8) == 8 && ticks == 1, "ticks %ld", (long)ticks);
  CHECK(timerfd_gettime(periodic, &now) == 0 && now.it_value.tv_sec > 8900 && now.it_interval.tv_sec == 9000);
  CHECK(timerfd_gettime(absolute, &now) == 0 && now.it_value.tv_sec > 5900 && now.it_value.tv_sec <= 6000);
  CHECK(timerfd_gettime(idle, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
  return victim_done();
}
