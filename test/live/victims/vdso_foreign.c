// Images from a kernel whose vDSO has other code and another layout: time functions still work, and fast; a child, and
// a second dump of what was patched.
// dump: --action-script @SOURCE@/tools/foreign_vdso.py
// flavours: host ns
// ignore: .*
#include <sys/auxv.h>
#include <sys/time.h>

#include "victim.h"

static void verify(void) {
  struct timespec by_call, by_vdso;
  struct timeval day;
  for (int i = 0; i < 1000; i++) {
    MUST(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &by_call) == 0);
    MUST(clock_gettime(CLOCK_MONOTONIC, &by_vdso) == 0);
    long ns = (by_vdso.tv_sec - by_call.tv_sec) * 1000000000L + by_vdso.tv_nsec - by_call.tv_nsec;
    CHECK(ns >= 0 && ns < 2000000000L, "the vDSO is %ld ns off", ns);
  }
  CHECK(gettimeofday(&day, NULL) == 0 && day.tv_sec >= time(NULL) - 1);
  CHECK(clock_getres(CLOCK_MONOTONIC, &by_vdso) == 0 && by_vdso.tv_nsec > 0);
  CHECK(sched_getcpu() >= 0);
  const char* maps = victim_slurp("/proc/self/maps");
  unsigned long start = 0;
  for (const char* line = maps; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    const char* end = strchr(line, '\n');
    const char* name = strstr(line, "[vdso]");
    if (name && (!end || name < end)) start = strtoul(line, NULL, 16);
  }
  CHECK(start != 0 && start != getauxval(AT_SYSINFO_EHDR), "the vDSO of the kernel is at %lx", start);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child = victim_child(verify);
  victim_ready();
  verify();
  victim_join(child);
  return victim_done();
}
