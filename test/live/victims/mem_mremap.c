// What mremap(2) leaves behind: memory moved, grown, shrunk, moved with its old place kept (MREMAP_DONTUNMAP), doubled
// when it is shared (old size 0), moved between files' and anonymous neighbours, pages in another order
// (remap_file_pages).
#include "victim.h"

enum { PAGE = 4096, N = 16 };
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char* map(size_t pages, int flags, int fd) {
  char* at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
  MUST(at != MAP_FAILED);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  MUST(fd >= 0 && ftruncate(fd, N * PAGE) == 0);
  char* filed = map(N, MAP_SHARED, fd);
  for (int i = 0; i < N; i++) victim_fill(filed + i * PAGE, PAGE, 100u + (uint64_t)i);
  char* a = map(N, MAP_PRIVATE, -1);
  victim_fill(a, N * PAGE, 1);
  char* moved = mremap(a, N * PAGE, 4 * N * PAGE, MREMAP_MAYMOVE);
  char* b = map(N, MAP_PRIVATE, -1);
  victim_fill(b, N * PAGE, 2);
  char* shrunk = mremap(b, N * PAGE, 3 * PAGE, 0);
  char* c = map(N, MAP_PRIVATE, -1);
  victim_fill(c, N * PAGE, 3);
  char* kept = mremap(c, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
  char* d = map(N, MAP_SHARED, -1);
  victim_fill(d, N * PAGE, 4);
  char* twin = mremap(d, 0, N * PAGE, MREMAP_MAYMOVE);
  char* own = map(N, MAP_PRIVATE, fd);
  own[PAGE] = 7;
  char* own_moved = mremap(own + PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, moved + 2 * N * PAGE);
  char* order = map(4, MAP_SHARED, fd);
  for (int i = 0; i < 4; i++) MUST(remap_file_pages(order + i * PAGE, PAGE, 0, (size_t)(3 - i), 0) == 0);
  MUST(moved != MAP_FAILED && shrunk == b && twin != MAP_FAILED && own_moved != MAP_FAILED);
  pid_t child = fork();
  if (child == 0) {
    victim_wait();
    CHECK_EQ(twin[5], 66);
    CHECK_EQ(victim_compare(moved, N * PAGE, 1), -1);
    d[6] = 67;
    victim_child_done();
  }

  victim_ready();

  CHECK_EQ(victim_compare(moved, N * PAGE, 1), -1);
  CHECK(moved[3 * N * PAGE] == 0);
  CHECK_EQ(victim_compare(shrunk, 3 * PAGE, 2), -1);
  if (kept != MAP_FAILED) {
    CHECK_EQ(victim_compare(kept, N * PAGE, 3), -1);
    CHECK(c[0] == 0 && c[(N - 1) * PAGE] == 0);
  }
  CHECK_EQ(victim_compare(twin, N * PAGE, 4), -1);
  d[5] = 66;
  CHECK_EQ(twin[5], 66);
  victim_join(child);
  CHECK_EQ(twin[6], 67);
  CHECK(own_moved[0] == 7 && memcmp(own_moved + PAGE, filed + 2 * PAGE, PAGE) == 0);
  for (int i = 0; i < 4; i++) CHECK_EQ(victim_compare(order + i * PAGE, PAGE, 100u + 3 - (uint64_t)i), -1);
  return victim_done();
}
