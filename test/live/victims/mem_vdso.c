// The vDSO is where it was and works: times agree with the system call's, from several threads.
#include <sys/auxv.h>

#include "victim.h"

static void verify(void) {
  for (int i = 0; i < 1000; i++) {
    struct timespec a, b, c;
    for (int clock = 0; clock < 2; clock++) {
      syscall(SYS_clock_gettime, clock, &a);
      clock_gettime(clock, &b);
      syscall(SYS_clock_gettime, clock, &c);
      double x = (double)a.tv_sec + (double)a.tv_nsec * 1e-9, y = (double)b.tv_sec + (double)b.tv_nsec * 1e-9;
      double z = (double)c.tv_sec + (double)c.tv_nsec * 1e-9;
      CHECK(y >= x - 1e-6 && y <= z + 1e-6, "clock %d: %f %f %f", clock, x, y, z);
    }
  }
  CHECK(time(NULL) >= 1700000000);
  unsigned cpu = 99999;
  CHECK(getcpu(&cpu, NULL) == 0 && cpu < 99999);
}

static void* work(void* unused) {
  victim_wait();
  verify();
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  verify();
  char* vdso = (char*)getauxval(AT_SYSINFO_EHDR);
  MUST(vdso && memcmp(vdso, "\177ELF", 4) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  victim_ready();
  CHECK(memcmp(vdso, "\177ELF", 4) == 0);
  verify();
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
