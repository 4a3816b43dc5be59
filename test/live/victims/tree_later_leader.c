// A process group whose leader sits in a later branch of the tree than its members, and one that spans three
// generations.
#include "barrier.h"

static struct { atomic_int leader; } * ids;

int main(int argc, char** argv) {
  victim_init(argc, argv);
  barrier_init();
  ids = barrier_memory();
  pid_t me = getpid();
  pid_t early = fork();
  if (early == 0) {
    pid_t below = fork();
    if (below == 0) {
      barrier_wait(1);
      MUST(setpgid(0, ids->leader) == 0);
      barrier_add();
      victim_wait();
      CHECK_EQ(getpgid(0), ids->leader);
      victim_child_done();
    }
    barrier_wait(1);
    MUST(setpgid(0, ids->leader) == 0);
    barrier_add();
    victim_wait();
    CHECK_EQ(getpgid(0), ids->leader);
    victim_join(below);
    victim_child_done();
  }
  pid_t late = fork();
  if (late == 0) {
    pid_t leader = fork();
    if (leader == 0) {
      MUST(setpgid(0, 0) == 0);
      ids->leader = getpid();
      barrier_add();
      victim_wait();
      CHECK_EQ(getpgid(0), getpid());
      victim_child_done();
    }
    victim_wait();
    CHECK_EQ(getpgid(leader), leader);
    victim_join(leader);
    victim_child_done();
  }
  barrier_wait(3);
  victim_ready();
  CHECK_EQ(getpgid(early), ids->leader);
  CHECK_EQ(getpid(), me);
  victim_join(early);
  victim_join(late);
  return victim_done();
}
