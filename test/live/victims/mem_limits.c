// A program at its limits: address space, data, locked memory and stack are as large as they may be, and so it stays.
#include <sys/resource.h>

#include "victim.h"

enum { PAGE = 4096 };

static void set(int which, rlim_t n) {
  struct rlimit limit = {n, n};
  MUST(setrlimit(which, &limit) == 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* locked = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
  char* data = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(locked != MAP_FAILED && data != MAP_FAILED);
  victim_fill(locked, 64 * PAGE, 1);
  victim_fill(data, 4 << 20, 2);
  pid_t child = fork();
  if (child == 0) {
    set(RLIMIT_STACK, 16 * PAGE);
    set(RLIMIT_FSIZE, 0);
    set(RLIMIT_DATA, 0);
    set(RLIMIT_MEMLOCK, 0);
    set(RLIMIT_NPROC, 0);
    victim_wait();
    CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
          errno == ENOMEM);
    _exit(atomic_load(&victim_failures) || victim_compare(data, 4 << 20, 2) != -1 ? 3 : 0);
  }
  rlim_t size = (rlim_t)victim_status("/proc/self/status", "VmSize", 10) * 1024;
  struct rlimit space = {size, size + (1 << 20)};
  MUST(setrlimit(RLIMIT_AS, &space) == 0);
  set(RLIMIT_DATA, (rlim_t)victim_status("/proc/self/status", "VmData", 10) * 1024);
  set(RLIMIT_MEMLOCK, 64 * PAGE);

  victim_ready();

  CHECK_EQ(victim_compare(locked, 64 * PAGE, 1), -1);
  CHECK_EQ(victim_compare(data, 4 << 20, 2), -1);
  CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
  CHECK(munmap(data, PAGE) == 0);
  CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  struct rlimit now;
  CHECK(getrlimit(RLIMIT_AS, &now) == 0 && now.rlim_cur == space.rlim_cur && now.rlim_max == space.rlim_max);
  victim_join(child);
  return victim_done();
}
