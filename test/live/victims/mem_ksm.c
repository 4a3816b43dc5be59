// Memory that the kernel merges: by advice and for the whole process (PR_SET_MEMORY_MERGE, 6.4), pages really merged
// when dumped; content, flags and the setting stay, and a merged page is the process's own when it writes.
// lock: ksm
// timeout: 40
#include "victim.h"

enum { PAGE = 4096, N = 256 };
#define PR_SET_MEMORY_MERGE_ 67
#define PR_GET_MEMORY_MERGE_ 68

static long number(const char* path) { return atol(victim_slurp(path)); }
static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (write(fd, text, strlen(text)) < 0) {
    }
    close(fd);
  }
}
#define KSM "/sys/kernel/mm/ksm/"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  long run = number(KSM "run");
  char* advised = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(advised != MAP_FAILED);
  for (int i = 0; i < N; i++) victim_fill(advised + i * PAGE, PAGE, 1);
  if (madvise(advised, N * PAGE, MADV_MERGEABLE)) victim_skip("no KSM here");
  pid_t child = fork();
  if (child == 0) {
    bool all = prctl(PR_SET_MEMORY_MERGE_, 1, 0, 0, 0) == 0;
    char* later = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    victim_fill(later, 4 * PAGE, 2);
    pid_t grandchild = fork();
    if (grandchild == 0) {
      victim_wait();
      if (all) CHECK(prctl(PR_GET_MEMORY_MERGE_, 0, 0, 0, 0) == 1, "grandchild");
      CHECK_EQ(victim_compare(later, 4 * PAGE, 2), -1);
      victim_child_done();
    }
    victim_wait();
    if (all) CHECK_EQ(prctl(PR_GET_MEMORY_MERGE_, 0, 0, 0, 0), 1);
    CHECK_EQ(victim_compare(later, 4 * PAGE, 2), -1);
    victim_join(grandchild);
    victim_child_done();
  }
  put(KSM "pages_to_scan", "10000"), put(KSM "sleep_millisecs", "1"), put(KSM "run", "1");
  bool merged = false;
  for (int i = 0; i < 15000 && !merged; i++) {
    usleep(1000);
    merged = number("/proc/self/ksm_merging_pages") >= N / 2;
  }
  if (run == 0) put(KSM "run", "0");  // stops the scanner, leaves what it merged
  if (!merged) victim_skip("this kernel merges nothing");

  victim_ready();

  for (int i = 0; i < N; i++) CHECK_EQ(victim_compare(advised + i * PAGE, PAGE, 1), -1);
  advised[0] = 9;
  CHECK_EQ(victim_compare(advised + PAGE, PAGE, 1), -1);
  if (prctl(PR_GET_MEMORY_MERGE_, 0, 0, 0, 0) >= 0) CHECK_EQ(prctl(PR_GET_MEMORY_MERGE_, 0, 0, 0, 0), 0);
  victim_join(child);
  return victim_done();
}
