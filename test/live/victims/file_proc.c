// Files below /proc: of itself, of a child, of one that has ended, and a directory.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t ended = fork();
  if (ended == 0) {
    victim_wait();
    _exit(0);
  }
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    victim_child_done();
  }
  char path[64], text[4096] = "", wanted[32];
  int self = open("/proc/self/status", O_RDONLY), same = dup(self),
      folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
  snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
  int other = open(path, O_RDONLY);
  snprintf(path, sizeof path, "/proc/%d/comm", (int)ended);
  int dead = open(path, O_RDONLY), limits = open("/proc/sys/kernel/pid_max", O_RDONLY);
  MUST(self >= 0 && folder >= 0 && other >= 0 && dead >= 0 && limits >= 0 && read(self, text, 6) == 6);
  kill(ended, SIGKILL);
  MUST(waitpid(ended, NULL, 0) == ended);

  victim_ready();

  CHECK_EQ(lseek(same, 0, SEEK_CUR), 6);
  CHECK(pread(self, text, sizeof text - 1, 0) > 0);
  snprintf(wanted, sizeof wanted, "Pid:\t%d\n", (int)getpid());
  CHECK(strstr(text, wanted) != NULL, "%s", text);
  memset(text, 0, sizeof text);
  CHECK(pread(other, text, sizeof text - 1, 0) > 0 && atoi(text) == child, "%s", text);
  CHECK(read(dead, text, 1) < 0 && errno == ESRCH);
  CHECK(openat(folder, "0", O_PATH) >= 0);
  CHECK(pread(limits, text, 1, 0) == 1);
  victim_join(child);
  return victim_done();
}
