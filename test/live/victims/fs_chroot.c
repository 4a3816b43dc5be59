// A changed root directory, with the working directory inside it.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct stat before, after, cwd;
  MUST(mkdir("inside", 0777) == 0);
  MUST(stat(".", &before) == 0 && stat("inside", &cwd) == 0);
  victim_announce(NULL);  // the FIFO is out of reach afterwards: the runner waits until this process waits for go
  MUST(chroot(".") == 0 && chdir("/inside") == 0);
  strcpy(victim_dir, "/");
  victim_wait();
  CHECK(stat("/", &after) == 0);
  CHECK_EQ(after.st_ino, before.st_ino);
  CHECK(stat(".", &after) == 0);
  CHECK_EQ(after.st_ino, cwd.st_ino);
  CHECK(access("/usr", F_OK) == -1 && errno == ENOENT);
  char name[64];
  CHECK(getcwd(name, sizeof name) && strcmp(name, "/inside") == 0);
  return victim_done();
}
