// Locked memory, a process each way: mlockall for what is there, for what comes, for both, on fault; undone in parts;
// MAP_LOCKED; within a limit; what a process maps afterwards is locked or not as before.
#include <sys/resource.h>

#include "victim.h"

enum { PAGE = 4096, KINDS = 9 };
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static long locked(void) { return (long)victim_status("/proc/self/status", "VmLck", 10); }
static char* map(int flags) {
  char* at = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  MUST(at != MAP_FAILED);
  return at;
}
static int resident(char* at) {
  unsigned char page[16];
  int n = 0;
  MUST(mincore(at, 16 * PAGE, page) == 0);
  for (int i = 0; i < 16; i++) n += page[i] & 1;
  return n;
}

static void act(int kind, char* a) {
  switch (kind) {
    case 0:
      MUST(mlockall(MCL_CURRENT) == 0);
      break;
    case 1:
      MUST(mlockall(MCL_FUTURE) == 0);
      break;
    case 2:
      MUST(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
      break;
    case 3:
      MUST(mlockall(MCL_CURRENT | MCL_ONFAULT) == 0);
      break;
    case 4:
      MUST(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0);
      break;
    case 5:
      MUST(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0);
      break;
    case 6:
      MUST(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 && munlock(a + 4 * PAGE, 4 * PAGE) == 0);
      break;
    case 7:
      MUST(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 && munlockall() == 0 && mlock(a, 2 * PAGE) == 0);
      break;
    case 8: {
      MUST(mlock(a, 16 * PAGE) == 0);
      struct rlimit limit = {16 * PAGE, 16 * PAGE};
      MUST(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
      if (getuid() == 0) MUST(setgid(1000) == 0 && setuid(1000) == 0);
      break;
    }
  }
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child[KINDS];
  atomic_int* built = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int kind = 0; kind < KINDS; kind++) {
    child[kind] = fork();
    if (child[kind]) continue;
    char *a = map(0), *b = map(0);
    victim_fill(a, 3 * PAGE, 1);
    act(kind, a);
    char* c = map(0);
    c[0] = 1;
    long before = locked(), in_a = resident(a), in_b = resident(b), in_c = resident(c);
    atomic_fetch_add(built, 1);
    victim_wait();
    CHECK(locked() == before, "kind %d: %ld is %ld", kind, before, locked());
    CHECK(resident(a) == in_a && resident(b) == in_b && resident(c) == in_c, "kind %d: %d %d %d were %ld %ld %ld", kind,
          resident(a), resident(b), resident(c), in_a, in_b, in_c);
    CHECK_EQ(victim_compare(a, 3 * PAGE, 1), -1);
    bool future = kind == 1 || kind == 2 || kind == 4 || kind == 5 || kind == 6;
    char* d = kind == 8 ? NULL : map(0);
    if (d) {
      CHECK(locked() == before + (future ? 64 : 0), "kind %d: new memory", kind);
      CHECK(resident(d) == (kind == 1 || kind == 2 || kind == 6 ? 16 : 0), "kind %d: new memory has %d pages", kind,
            resident(d));
      char* e = map(MAP_LOCKED);
      CHECK(resident(e) == (kind == 4 || kind == 5 ? resident(e) : 16) && locked() == before + (future ? 128 : 64),
            "kind %d", kind);
    } else {
      CHECK(mlock(b, PAGE) != 0 && (errno == ENOMEM || errno == EAGAIN));
    }
    _exit(atomic_load(&victim_failures) != 0);
  }
  while (*built < KINDS) usleep(1000);

  victim_ready();

  for (int kind = 0; kind < KINDS; kind++) victim_join(child[kind]);
  return victim_done();
}
