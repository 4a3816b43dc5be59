// Requests that are under way when the dump comes and end soon: their data and completions are there.
// ignore: fd \d+ info$
// ignore: taskstate \d+ thread
#include "uring.h"

enum { N = 64, SIZE = 64 << 10 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, N, 0, 0)) victim_skip("no io_uring here");
  int fd = open("content", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  char* data = aligned_alloc(4096, N * SIZE);
  victim_fill(data, N * SIZE, 1);
  MUST(fd >= 0 && write(fd, data, N * SIZE) == N * SIZE && fsync(fd) == 0);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  memset(data, 0, N * SIZE);
  for (unsigned i = 0; i < N; i++) {
    struct io_uring_sqe* s = uring_prepare(&r, IORING_OP_READ, fd, data + i * SIZE, SIZE, i);
    s->off = i * SIZE;
    if (i & 1) s->flags = IOSQE_ASYNC;  // by a worker thread
  }
  MUST(uring_enter(&r, N, 0) == N);

  victim_ready();

  unsigned done = 0;
  uint64_t which;
  int result;
  while (done < N) {
    for (; uring_take(&r, &which, &result); done++) CHECK_EQ(result, SIZE);
    if (done < N) CHECK_EQ(uring_enter(&r, 0, 1), 0);
  }
  CHECK_EQ(victim_compare(data, N * SIZE, 1), -1);
  return victim_done();
}
