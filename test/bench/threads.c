// A victim of the benchmarks: as many sleeping threads as the environment's NSR_THREADS says, one if it says nothing.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void* sleeper(void* unused) {
  for (;;) pause();
  return unused;
}

int main(int argc, char** argv) {
  char path[4096];
  const char* many = getenv("NSR_THREADS");
  if (argc < 2) return 1;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  for (int i = many ? atoi(many) : 1; i > 1; i--) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, sleeper, NULL) != 0) return 2;
  }
  snprintf(path, sizeof path, "%s/ready", argv[1]);
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, "ready\n", 6) != 6) return 1;
  close(fd);
  for (;;) pause();
}
