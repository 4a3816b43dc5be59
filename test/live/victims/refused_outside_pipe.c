// A pipe whose other end is outside of the tree is refused with its name and the options.
// flavours: refused
// refused: pid \d+ fd \d+ pipe:\[\d+\].*outside of the tree.*--external 'pipe:
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int ends[2];
  MUST(pipe(ends) == 0);
  // the helper is no member of the tree: its parent is gone
  pid_t middle = fork();
  if (middle == 0) {
    if (fork() == 0) {
      close(ends[1]);
      setsid();
      char byte;
      while (read(ends[0], &byte, 1) > 0) {
      }
    }
    _exit(0);
  }
  MUST(waitpid(middle, NULL, 0) == middle);
  close(ends[0]);
  victim_ready();
  CHECK(write(ends[1], "x", 1) == 1);
  return victim_done();
}
