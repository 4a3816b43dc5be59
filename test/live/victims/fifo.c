// FIFOs: data, a reader and a writer in two processes, one opened O_RDWR.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  MUST(mkfifo("one", 0600) == 0 && mkfifo("both", 0600) == 0);
  int r = open("one", O_RDONLY | O_NONBLOCK), w = open("one", O_WRONLY), both = open("both", O_RDWR);
  MUST(r >= 0 && w >= 0 && both >= 0 && fcntl(r, F_SETFL, 0) == 0);
  MUST(fcntl(both, F_SETPIPE_SZ, 131072) == 131072 && write(w, "data", 4) == 4 && write(both, "self", 4) == 4);
  pid_t child = fork();
  if (child == 0) {
    close(r);
    victim_wait();
    CHECK(write(w, " and more", 9) == 9);
    victim_child_done();
  }
  close(w);

  victim_ready();

  char text[32] = "";
  CHECK(read(r, text, sizeof text) == 4 && memcmp(text, "data", 4) == 0);
  victim_join(child);
  CHECK(read(r, text, sizeof text) == 9 && memcmp(text, " and more", 9) == 0);
  CHECK_EQ(read(r, text, sizeof text), 0);
  CHECK_EQ(fcntl(both, F_GETPIPE_SZ), 131072);
  CHECK(read(both, text, 4) == 4 && memcmp(text, "self", 4) == 0);
  return victim_done();
}
