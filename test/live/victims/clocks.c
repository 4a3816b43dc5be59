// After a restore where the host's clocks are behind (as after a reboot), CLOCK_MONOTONIC and CLOCK_BOOTTIME go on;
// twice, so that the second dump is of a tree in a time namespace. By system call, by vDSO, in a child, and for an
// absolute sleep.
// restore: --action-script @SOURCE@/tools/clocks_ahead.py
// rounds: 2
// flavours: host ns
// ignore: .*ns.*time.*
#include <sys/syscall.h>

#include "victim.h"

static long seconds(clockid_t clock, bool vdso) {
  struct timespec now;
  MUST((vdso ? clock_gettime(clock, &now) : (int)syscall(SYS_clock_gettime, clock, &now)) == 0);
  return now.tv_sec;
}

static long before[2];

static void verify(void) {
  static const clockid_t clocks[2] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME};
  for (int i = 0; i < 2; i++) {
    long by_call = seconds(clocks[i], false) - before[i], by_vdso = seconds(clocks[i], true) - before[i];
    CHECK(by_call >= 2 * 86400 && by_call < 2 * 86400 + 600, "clock %d moved by %ld s", clocks[i], by_call);
    CHECK(by_vdso >= by_call && by_vdso <= by_call + 1, "clock %d moved by %ld s in the vDSO", clocks[i], by_vdso);
  }
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  before[0] = seconds(CLOCK_MONOTONIC, false);
  before[1] = seconds(CLOCK_BOOTTIME, false);
  pid_t child = victim_child(verify);
  victim_ready();
  verify();
  struct timespec past = {.tv_sec = before[0] + 86400};
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL) == 0);
  victim_join(child);
  return victim_done();
}
