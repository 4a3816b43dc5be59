// The main stack keeps its contents and still grows; so does a mapping made with MAP_GROWSDOWN.
#include "victim.h"

static char* growing;
enum { PAGE = 4096 };

__attribute__((noinline)) static int deep(int n) {
  volatile char frame[PAGE];
  memset((void*)frame, n, sizeof frame);
  int below = n ? deep(n - 1) : 0;
  for (int i = 0; i < PAGE; i += 512) CHECK(frame[i] == (char)n);
  return below + 1;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  uint64_t here[4096];
  victim_fill(here, sizeof here, 21);
  char* area = (char*)mmap(NULL, 1100 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(area != MAP_FAILED && munmap(area, 1100 * PAGE) == 0);
  growing = (char*)mmap(area + 1000 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
  MUST(growing == area + 1000 * PAGE);
  for (int i = 0; i < 20; i++) growing[-i * PAGE] = (char)(i + 1);  // grows by touching
  victim_ready();
  CHECK_EQ(victim_compare(here, sizeof here, 21), -1);
  for (int i = 0; i < 20; i++) CHECK_EQ(growing[-i * PAGE], i + 1);
  for (int i = 20; i < 60; i++) growing[-i * PAGE] = (char)(i + 1);
  for (int i = 0; i < 60; i++) CHECK_EQ(growing[-i * PAGE], i + 1);
  CHECK_EQ(deep(600), 601);  // 2.4 MiB more than it had
  return victim_done();
}
