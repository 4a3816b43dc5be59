// Forked children and grandchildren keep their ids, their parents and their children.
// flavours: host ns leave stopped
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t me = getpid(), children[4];
  for (int i = 0; i < 4; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      pid_t mine = getpid(), below[2];
      for (int j = 0; j < 2; j++) {
        below[j] = fork();
        if (below[j] == 0) {
          pid_t self = getpid();
          victim_wait();
          CHECK_EQ(getpid(), self);
          CHECK_EQ(getppid(), mine);
          victim_child_done();
        }
      }
      victim_wait();
      CHECK_EQ(getpid(), mine);
      CHECK_EQ(getppid(), me);
      for (int j = 0; j < 2; j++) victim_join(below[j]);
      CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
      victim_child_done();
    }
  }
  victim_ready();
  CHECK_EQ(getpid(), me);
  for (int i = 0; i < 4; i++) victim_join(children[i]);
  CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
  return victim_done();
}
