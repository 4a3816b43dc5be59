// Sessions and process groups: own group, a sibling's group, own session, a group inside a child's session.
#include "barrier.h"
#include "victim.h"

static struct shared { pid_t pid[5]; } * ids;

static void child(int i) {
  ids->pid[i] = getpid();
  switch (i) {
    case 0:
      MUST(setpgid(0, 0) == 0);
      break;
    case 1:
      barrier_wait(1);
      MUST(setpgid(0, ids->pid[0]) == 0);
      break;
    case 2:
      MUST(setsid() == getpid());
      break;
    case 3:
      MUST(setsid() == getpid());
      break;
    default:
      break;
  }
  pid_t inner = 0;
  if (i == 3) {
    inner = fork();
    if (inner == 0) {
      ids->pid[4] = getpid();
      MUST(setpgid(0, 0) == 0);
      barrier_add();
      pid_t sid = getsid(0), pgid = getpgid(0);
      victim_wait();
      CHECK_EQ(getsid(0), sid);
      CHECK_EQ(sid, getppid());
      CHECK_EQ(getpgid(0), pgid);
      CHECK_EQ(pgid, getpid());
      victim_child_done();
    }
  }
  pid_t sid = getsid(0), pgid = getpgid(0);
  barrier_add();
  victim_wait();
  CHECK_EQ(getsid(0), sid);
  CHECK_EQ(getpgid(0), pgid);
  if (inner) victim_join(inner);
  victim_child_done();
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  barrier_init();
  pid_t pid[4], sid = getsid(0), pgid = getpgid(0);
  ids = barrier_memory();
  for (int i = 0; i < 4; i++) {
    pid[i] = fork();
    if (pid[i] == 0) child(i);
    if (i == 0) barrier_wait(1);
  }
  barrier_wait(5);
  pid_t group = getpgid(pid[1]);
  barrier_free();
  victim_ready();
  CHECK_EQ(getsid(0), sid);
  CHECK_EQ(getpgid(0), pgid);
  CHECK_EQ(group, pid[0]);
  CHECK_EQ(getpgid(pid[1]), pid[0]);
  CHECK_EQ(getsid(pid[2]), pid[2]);
  CHECK_EQ(getsid(pid[3]), pid[3]);
  for (int i = 0; i < 4; i++) victim_join(pid[i]);
  return victim_done();
}
