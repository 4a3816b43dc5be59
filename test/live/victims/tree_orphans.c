// A session whose leader has exited, a group whose leader has exited, and both at once below a child.
#include "barrier.h"

static struct { pid_t leader[2], member[2]; } * ids;

// A process that makes a session (or group) and ends, leaving a member behind for the subreaper.
static pid_t leave(int i, bool session) {
  pid_t leader = fork();
  if (leader) {
    MUST(waitpid(leader, NULL, 0) == leader);
    return leader;
  }
  if (session)
    MUST(setsid() == getpid());
  else
    MUST(setpgid(0, 0) == 0);
  ids->leader[i] = getpid();
  pid_t member = fork();
  if (member == 0) {
    pid_t sid = getsid(0), pgid = getpgid(0);
    ids->member[i] = getpid();
    barrier_add();
    victim_wait();
    CHECK_EQ(getsid(0), sid);
    CHECK_EQ(getpgid(0), pgid);
    CHECK_EQ(pgid, ids->leader[i]);
    if (session) CHECK_EQ(sid, ids->leader[i]);
    victim_child_done();
  }
  _exit(0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  barrier_init();
  ids = barrier_memory();
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  leave(0, true);
  leave(1, false);
  barrier_wait(2);
  victim_ready();
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(getpgid(ids->member[i]), ids->leader[i]);
    CHECK(kill(ids->leader[i], 0) == -1 && errno == ESRCH, "the leader that had exited is there");
    victim_join(ids->member[i]);
  }
  CHECK_EQ(getsid(0), getpid());
  return victim_done();
}
