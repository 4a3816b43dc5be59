// Real, effective, saved and file-system ids of users and groups, supplementary groups, different in each thread and
// process.
#include <grp.h>
#include <sys/fsuid.h>

#include "victim.h"

static atomic_int started;

static void become(int i) {
  gid_t groups[40];
  int count = 3 + i * 12;
  for (int g = 0; g < count; g++) groups[g] = (gid_t)(3000 + i * 100 + g);
  MUST(syscall(SYS_setgroups, count, groups) == 0);  // by system call: this thread only
  MUST(syscall(SYS_setresgid, 2000 + i, 2010 + i, 2020 + i) == 0);
  syscall(SYS_setfsgid, 2030 + i);
  MUST(syscall(SYS_setresuid, 1000 + i, 0, 1020 + i) == 0);  // only root may choose the file-system id freely
  syscall(SYS_setfsuid, 1030 + i);
}

static void verify(int i) {
  uid_t r, e, s;
  gid_t groups[64];
  CHECK(getresuid(&r, &e, &s) == 0);
  CHECK_EQ(r, 1000 + i);
  CHECK_EQ(e, 0);
  CHECK_EQ(s, 1020 + i);
  CHECK(getresgid(&r, &e, &s) == 0);
  CHECK_EQ(r, 2000 + i);
  CHECK_EQ(e, 2010 + i);
  CHECK_EQ(s, 2020 + i);
  CHECK_EQ((int)syscall(SYS_setfsuid, -1), 1030 + i);
  CHECK_EQ((int)syscall(SYS_setfsgid, -1), 2030 + i);
  int count = getgroups(64, groups);
  CHECK_EQ(count, 3 + i * 12);
  for (int g = 0; g < count; g++) CHECK_EQ(groups[g], 3000 + i * 100 + g);
}

static void* work(void* unused) {
  (void)unused;
  become(1);
  started = 1;
  victim_wait();
  verify(1);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child = fork();
  if (child == 0) {
    become(2);
    victim_wait();
    verify(2);
    victim_child_done();
  }
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  CHECK_EQ(getuid(), 0);
  CHECK_EQ(geteuid(), 0);
  victim_join(child);
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
