// The smallest victim of the benchmarks: says "ready" on the FIFO argv[1]/ready and waits.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  char path[4096];
  if (argc < 2) return 1;
  snprintf(path, sizeof path, "%s/ready", argv[1]);
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, "ready\n", 6) != 6) return 1;
  close(fd);
  for (;;) pause();
}
