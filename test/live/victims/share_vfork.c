// A child that is made by vfork at the moment of the dump: the freeze waits until it has executed its program.
// leaders: any
// ignore: .*
#include "share.h"

static atomic_int child_pid;

static void* vforker(void* path) {
  pid_t pid = vfork();
  if (pid == 0) {
    child_pid = (int)syscall(SYS_getpid);
    struct timespec half = {0, 300000000};
    syscall(SYS_nanosleep, &half, NULL);
    execl("/bin/sh", "sh", "-c", "read line < \"$0\"; exit 9", (char*)path, (char*)NULL);
    _exit(1);
  }
  return (void*)(long)pid;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char path[] = "gate";
  MUST(mkfifo(path, 0600) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, vforker, path) == 0);
  while (!child_pid) sched_yield();
  victim_ready();
  void* pid = NULL;
  int status = 0;
  CHECK(pthread_join(thread, &pid) == 0);
  int gate = open(path, O_WRONLY);
  CHECK(write(gate, "\n", 1) == 1 && close(gate) == 0);
  CHECK(waitpid((pid_t)(long)pid, &status, 0) == child_pid && WEXITSTATUS(status) == 9, "0x%x", status);
  return victim_done();
}
