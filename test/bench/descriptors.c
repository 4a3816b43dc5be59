// Victim of descriptors_bench.py: NSR_COUNT open files of kind NSR_KIND ("file": distinct open files by path, "pipe":
// pipe ends, "ghost": deleted files of 4 KiB), no more than PER_TABLE in one process.
#include <sys/resource.h>

#include "victim.h"

enum { PER_TABLE = 10000 };

static void open_one(const char* kind, int n) {
  char path[64], page[4096] = {1};
  int ends[2];
  if (strcmp(kind, "pipe") == 0) {
    if (n % 2 == 0) MUST(pipe(ends) == 0);
    return;
  }
  bool ghost = strcmp(kind, "ghost") == 0;
  snprintf(path, sizeof path, "%d.%d", (int)getpid(), ghost ? n : n % 100);
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  MUST(fd >= 0);
  if (ghost) MUST(write(fd, page, sizeof page) == sizeof page && unlink(path) == 0);
}

static void fill(const char* kind, int count) {
  for (int n = 0; n < count; n++) open_one(kind, n);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const char *kind = getenv("NSR_KIND"), *text = getenv("NSR_COUNT");
  struct rlimit files;
  MUST(kind && text && getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  MUST(setrlimit(RLIMIT_NOFILE, &files) == 0);
  int left = atoi(text), full[2];
  MUST(pipe(full) == 0);
  for (; left > PER_TABLE; left -= PER_TABLE) {
    if (fork() != 0) continue;
    close(full[0]);
    fill(kind, PER_TABLE);
    close(full[1]);
    victim_wait();
    _exit(0);
  }
  close(full[1]);
  fill(kind, left);
  MUST(read(full[0], (char[1]){0}, 1) == 0 && close(full[0]) == 0);
  victim_ready();
  return victim_done();
}
