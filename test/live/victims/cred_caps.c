// All five capability sets and the securebits, different in a thread.
#include <linux/capability.h>
#include <linux/securebits.h>

#include "victim.h"

struct sets {
  struct __user_cap_data_struct data[2];
  uint64_t bounding, ambient;
  int securebits;
};
static atomic_int started;

static struct sets get(void) {
  struct sets sets = {0};
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  MUST(syscall(SYS_capget, &header, sets.data) == 0);
  for (int cap = 0; cap < 64; cap++) {
    if (prctl(PR_CAPBSET_READ, cap) == 1) sets.bounding |= 1ull << cap;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1) sets.ambient |= 1ull << cap;
  }
  sets.securebits = prctl(PR_GET_SECUREBITS);
  return sets;
}

static void limit(int i) {
  MUST(prctl(PR_SET_SECUREBITS, i ? SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP : SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) ==
       0);
  MUST(prctl(PR_CAPBSET_DROP, i ? CAP_SYS_TIME : CAP_SYS_BOOT) == 0);
  MUST(prctl(PR_CAPBSET_DROP, CAP_MKNOD) == 0);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  MUST(syscall(SYS_capget, &header, data) == 0);
  uint32_t inheritable = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_CHOWN | (i ? 1u << CAP_FOWNER : 0);
  data[0].inheritable = inheritable;
  data[0].permitted &= ~(1u << (i ? CAP_LEASE : CAP_SYS_PACCT));
  data[0].effective = data[0].permitted & ~(1u << CAP_SYS_NICE);
  data[0].inheritable &= data[0].permitted;
  MUST(syscall(SYS_capset, &header, data) == 0);
  MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i ? CAP_CHOWN : CAP_NET_BIND_SERVICE, 0, 0) == 0);
}

static void verify(struct sets before) {
  struct sets now = get();
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(now.data[i].effective, before.data[i].effective);
    CHECK_EQ(now.data[i].permitted, before.data[i].permitted);
    CHECK_EQ(now.data[i].inheritable, before.data[i].inheritable);
  }
  CHECK_EQ(now.bounding, before.bounding);
  CHECK_EQ(now.ambient, before.ambient);
  CHECK_EQ(now.securebits, before.securebits);
}

static void* work(void* unused) {
  (void)unused;
  limit(1);
  struct sets before = get();
  started = 1;
  victim_wait();
  verify(before);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  limit(0);
  struct sets before = get();
  MUST(before.ambient == 1u << CAP_NET_BIND_SERVICE);
  victim_ready();
  verify(before);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
