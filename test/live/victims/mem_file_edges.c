// Files mapped in unusual ways: beyond the end, with a tail in the last page, the same range twice shared and private,
// write-only descriptors' files mapped read-only, one page of many at odd offsets, PROT_NONE with data, executable, a
// file that was truncated under its private copies.
#include "victim.h"

enum { PAGE = 4096, N = 16 };

static char* map(int fd, int prot, int flags, int first, int pages) {
  char* at = mmap(NULL, (size_t)pages * PAGE, prot, flags, fd, first * PAGE);
  MUST(at != MAP_FAILED);
  return at;
}

static int readable(const char* at) {
  int fd[2];
  MUST(pipe(fd) == 0);
  int ok = write(fd[1], at, 1) == 1;
  close(fd[0]), close(fd[1]);
  return ok;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const int rw = PROT_READ | PROT_WRITE;
  static char page[N * PAGE];
  int fd = open("edges", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  victim_fill(page, sizeof page, 1);
  MUST(fd >= 0 && write(fd, page, sizeof page) == sizeof page && ftruncate(fd, 4 * PAGE + 100) == 0);
  char* beyond = map(fd, rw, MAP_SHARED, 0, N);
  char* beyond_private = map(fd, rw, MAP_PRIVATE, 2, N);
  beyond[4 * PAGE + 200] = 1;  // in the tail of the last page: no part of the file
  beyond_private[2 * PAGE + 8] = 2;
  int cut = open("cut", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  MUST(cut >= 0 && write(cut, page, sizeof page) == sizeof page);
  char* copies = map(cut, rw, MAP_PRIVATE, 0, N);
  victim_fill(copies, 2 * PAGE, 2);
  char* none = map(cut, rw, MAP_PRIVATE, 0, N);
  victim_fill(none, PAGE, 3);
  MUST(mprotect(none, N * PAGE, PROT_NONE) == 0);
  char* single[4];
  for (int i = 0; i < 4; i++) {
    single[i] = map(cut, i & 1 ? PROT_READ : rw, i & 2 ? MAP_SHARED : MAP_PRIVATE, 3 * i + 1, 1);
    if (i == 0) single[i][5] = 9;
  }
  char* readonly_copies = map(cut, rw, MAP_PRIVATE, 0, 4);
  victim_fill(readonly_copies + PAGE, PAGE, 4);
  MUST(mprotect(readonly_copies, 4 * PAGE, PROT_READ | PROT_EXEC) == 0);
  char* cut_off = map(cut, rw, MAP_PRIVATE, 0, N);
  victim_fill(cut_off, N * PAGE, 5);
  MUST(ftruncate(cut, 14 * PAGE) == 0);  // the last two private copies go with the pages of the file
  close(cut);
  close(fd);

  victim_ready();

  CHECK_EQ(victim_compare(beyond, 4 * PAGE, 1), -1);
  CHECK(readable(beyond + 4 * PAGE) && !readable(beyond + 5 * PAGE) && !readable(beyond_private + 3 * PAGE));
  CHECK_EQ(beyond_private[2 * PAGE + 8], 2);
  CHECK_EQ(victim_compare(copies, 2 * PAGE, 2), -1);
  CHECK(memcmp(copies + 2 * PAGE, page + 2 * PAGE, 12 * PAGE) == 0);
  CHECK(!readable(none) && mprotect(none, N * PAGE, PROT_READ) == 0);
  CHECK_EQ(victim_compare(none, PAGE, 3), -1);
  CHECK(memcmp(none + PAGE, page + PAGE, 13 * PAGE) == 0);
  for (int i = 0; i < 4; i++) CHECK(memcmp(single[i] + 8, page + (3 * i + 1) * PAGE + 8, PAGE - 8) == 0);
  CHECK_EQ(single[0][5], 9);
  CHECK_EQ(victim_compare(readonly_copies + PAGE, PAGE, 4), -1);
  CHECK_EQ(victim_compare(cut_off, 14 * PAGE, 5), -1);
  CHECK(!readable(cut_off + 14 * PAGE));
  return victim_done();
}
