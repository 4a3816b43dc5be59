// Settings of prctl(2) and arch_prctl(2) that no other victim has: rdtsc and cpuid that raise SIGSEGV, keep-caps and
// other secure bits, no_new_privs of one thread only, KSM, core scheduling group, name of a thread.
#include <asm/prctl.h>
#include <linux/securebits.h>

#include "victim.h"

static atomic_int started;
static bool cpuid_faults;

static int tsc(void) {
  int mode = 0;
  CHECK(prctl(PR_GET_TSC, &mode) == 0);
  return mode;
}

static void* work(void* argument) {
  MUST(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  MUST(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT | SECBIT_NO_CAP_AMBIENT_RAISE) == 0);
  MUST(prctl(PR_SET_NAME, "a (thread) \n") == 0);
  cpuid_faults = syscall(SYS_arch_prctl, 0x1012 /* ARCH_SET_CPUID */, 0) == 0;
  started = 1;
  victim_wait();
  char name[16];
  CHECK_EQ(tsc(), PR_TSC_SIGSEGV);
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_KEEP_CAPS | SECBIT_NOROOT | SECBIT_NO_CAP_AMBIENT_RAISE);
  CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a (thread) \n") == 0, "name %s", name);
  if (cpuid_faults) CHECK_EQ(syscall(SYS_arch_prctl, 0x1011 /* ARCH_GET_CPUID */, 0), 0);
  return argument;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  bool merges = prctl(67 /* PR_SET_MEMORY_MERGE */, 1, 0, 0, 0) == 0;
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  victim_ready();
  CHECK_EQ(tsc(), PR_TSC_ENABLE);
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_GET_SECUREBITS), 0);
  if (merges) CHECK_EQ(prctl(68 /* PR_GET_MEMORY_MERGE */, 0, 0, 0, 0), 1);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
