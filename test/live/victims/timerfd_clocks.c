// timerfd: each clock, one-shot, periodic with expirations not read, absolute with cancel-on-set, disarmed. A
// wall-clock time stays that time however long the dump lay; flags of settime stay.
#include <sys/timerfd.h>

#include "victim.h"

// Flags of the latest settime as /proc shows them.
static int settime_flags(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  return (int)victim_status(path, "settime flags", 8);
}

static void check_wall_time(int fd, time_t at, int clock) {
  struct timespec before, after;
  struct itimerspec left;
  CHECK(clock_gettime(CLOCK_REALTIME, &before) == 0 && timerfd_gettime(fd, &left) == 0 &&
        clock_gettime(CLOCK_REALTIME, &after) == 0);
  double then = (double)left.it_value.tv_sec + (double)left.it_value.tv_nsec * 1e-9;
  CHECK((double)(before.tv_sec - at) + (double)before.tv_nsec * 1e-9 + then < 0.001, "clock %d: too late", clock);
  CHECK((double)(after.tv_sec - at) + (double)after.tv_nsec * 1e-9 + then > -0.001, "clock %d: too early", clock);
  CHECK_EQ(settime_flags(fd), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
}

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
  time_t absolute_at = time(NULL) + 6000;
  absolute = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  t = (struct itimerspec){.it_value = {absolute_at, 0}};
  MUST(timerfd_settime(absolute, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL) == 0);
  idle = timerfd_create(CLOCK_BOOTTIME, 0);
  MUST(idle >= 0);
  time_t morning = time(NULL) + 7000;
  t = (struct itimerspec){.it_value = {morning, 0}, .it_interval = {86400, 0}};
  int alarm = timerfd_create(CLOCK_REALTIME_ALARM, TFD_NONBLOCK), waker = timerfd_create(CLOCK_BOOTTIME_ALARM, 0),
      expired = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  MUST(alarm >= 0 && waker >= 0 && expired >= 0);
  MUST(timerfd_settime(alarm, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL) == 0);
  struct itimerspec later = {.it_value = {4000, 0}}, past = {.it_value = {1, 0}};
  MUST(timerfd_settime(waker, 0, &later, NULL) == 0);
  MUST(timerfd_settime(expired, TFD_TIMER_ABSTIME, &past, NULL) == 0);

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
  check_wall_time(absolute, absolute_at, CLOCK_REALTIME);
  check_wall_time(alarm, morning, CLOCK_REALTIME_ALARM);
  CHECK(timerfd_gettime(alarm, &now) == 0 && now.it_interval.tv_sec == 86400);
  CHECK(timerfd_gettime(waker, &now) == 0 && now.it_value.tv_sec > 3900 && now.it_value.tv_sec <= 4000);
  CHECK(read(expired, &ticks, 8) == 8 && ticks == 1, "ticks %ld", (long)ticks);
  CHECK(timerfd_gettime(expired, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
  return victim_done();
}
