// What prctl says about transparent huge pages, a process each way: allowed, forbidden (PR_SET_THP_DISABLE), forbidden
// but where it was advised (PR_THP_DISABLE_EXCEPT_ADVISED, 6.18); children inherit it; huge shared memory by advice.
#include "victim.h"

enum { HUGE = 2 << 20, KINDS = 3 };
#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED 2
#endif

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pid_t child[KINDS];
  atomic_int* built = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int kind = 0; kind < KINDS; kind++) {
    child[kind] = fork();
    if (child[kind]) continue;
    char* room = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(room != MAP_FAILED);
    char* at = (char*)(((uintptr_t)room + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
    MUST(madvise(at, 2 * HUGE, MADV_HUGEPAGE) == 0);
    if (kind == 1) MUST(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
    if (kind == 2) prctl(PR_SET_THP_DISABLE, 1, PR_THP_DISABLE_EXCEPT_ADVISED, 0, 0);
    victim_fill(at, HUGE, (uint64_t)kind);
    int mode = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
    pid_t grandchild = fork();
    if (grandchild == 0) {
      victim_wait();
      CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), mode);
      CHECK_EQ(victim_compare(at, HUGE, (uint64_t)kind), -1);
      victim_child_done();
    }
    atomic_fetch_add(built, 1);
    victim_wait();
    CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), mode);
    CHECK_EQ(victim_compare(at, HUGE, (uint64_t)kind), -1);
    victim_join(grandchild);
    _exit(atomic_load(&victim_failures) != 0);
  }
  while (*built < KINDS) usleep(1000);

  victim_ready();

  for (int kind = 0; kind < KINDS; kind++) victim_join(child[kind]);
  return victim_done();
}
