// Resource limits below what is in use already: they are not in the way of a dump or restore, come back, and still act.
#include <sys/resource.h>

#include "victim.h"

enum { QUEUED = 5, FILES = 40 };
static struct rlimit wanted[RLIM_NLIMITS];

static void limit(int resource, rlim_t soft) {
  wanted[resource].rlim_cur = soft;
  MUST(setrlimit(resource, &wanted[resource]) == 0);
}

static bool maps_a_page(void) { return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* locked = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(locked, 7, 1 << 20);
  MUST(mlock(locked, 65536) == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < QUEUED; i++) MUST(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i}) == 0);
  int last = -1;
  for (int i = 0; i < FILES; i++) last = open("/dev/null", O_RDONLY);
  for (int i = 0; i < (int)RLIM_NLIMITS; i++) MUST(getrlimit(i, &wanted[i]) == 0);
  limit(RLIMIT_SIGPENDING, 0);
  limit(RLIMIT_MEMLOCK, 0);
  limit(RLIMIT_NPROC, 0);
  limit(RLIMIT_MSGQUEUE, 0);
  limit(RLIMIT_FSIZE, 4096);
  victim_announce("ready");
  limit(RLIMIT_NOFILE, 3);
  limit(RLIMIT_STACK, 8192);
  limit(RLIMIT_DATA, 0);
  limit(RLIMIT_AS, 4096);

  victim_wait();

  struct rlimit now;
  for (int i = 0; i < (int)RLIM_NLIMITS; i++)
    CHECK(getrlimit(i, &now) == 0 && now.rlim_cur == wanted[i].rlim_cur && now.rlim_max == wanted[i].rlim_max,
          "limit %d is %lld %lld", i, (long long)now.rlim_cur, (long long)now.rlim_max);
  CHECK(!maps_a_page() && errno == ENOMEM);
  CHECK(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
  CHECK(fcntl(last, F_GETFD) == 0);
  for (int i = 0; i < QUEUED; i++) {
    siginfo_t info;
    CHECK(sigtimedwait(&set, &info, &(struct timespec){0, 0}) == SIGRTMIN + 3 && info.si_value.sival_int == i);
  }
  limit(RLIMIT_NOFILE, FILES + 10);
  limit(RLIMIT_AS, wanted[RLIMIT_AS].rlim_max);
  limit(RLIMIT_DATA, wanted[RLIMIT_DATA].rlim_max);
  CHECK(maps_a_page());
  return victim_done();
}
