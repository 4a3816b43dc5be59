// Pipes and a FIFO that take no byte more although they hold fewer than their capacity: writes of odd sizes leave the
// rest of a page unused. They stay full, give what they hold as one stream, and take more then.
#include <poll.h>

#include "victim.h"

struct full {
  int reader, writer;
  size_t size, total;
};

static void fill(struct full* p, size_t size) {
  char bytes[8192];
  memset(bytes, 'a' + (int)(size % 26), sizeof bytes);
  p->size = size;
  for (ssize_t n; (n = write(p->writer, bytes, size)) > 0;) p->total += (size_t)n;
  MUST(errno == EAGAIN && p->total > 0);
}

static struct full make_pipe(int capacity, size_t size) {
  int ends[2];
  MUST(pipe2(ends, O_NONBLOCK) == 0 && fcntl(ends[1], F_SETPIPE_SZ, capacity) == capacity);
  struct full p = {.reader = ends[0], .writer = ends[1]};
  fill(&p, size);
  return p;
}

static bool takes_more(const struct full* p) {
  struct pollfd w = {p->writer, POLLOUT, 0};
  return poll(&w, 1, 0) == 1;
}

static void check(struct full* p) {
  char bytes[4096];
  size_t seen = 0;
  CHECK(!takes_more(p) && write(p->writer, bytes, p->size) < 0 && errno == EAGAIN, "writes of %zu", p->size);
  for (ssize_t n; (n = read(p->reader, bytes, sizeof bytes)) > 0; seen += (size_t)n) {
    CHECK(n == sizeof bytes || seen + (size_t)n == p->total, "one stream: %zd at %zu", n, seen);
    for (ssize_t i = 0; i < n; i++) CHECK_EQ(bytes[i], 'a' + (int)(p->size % 26));
  }
  CHECK_EQ(seen, p->total);
  CHECK(takes_more(p) && write(p->writer, "more", 4) == 4 && read(p->reader, bytes, 8) == 4);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct full pipes[] = {make_pipe(65536, 10),     make_pipe(4096, 1000),  make_pipe(8192, 3000),
                         make_pipe(1 << 20, 4097), make_pipe(65536, 4096), {0}};
  MUST(mkfifo("fifo", 0600) == 0);
  struct full* fifo = &pipes[5];
  fifo->reader = open("fifo", O_RDONLY | O_NONBLOCK);
  fifo->writer = open("fifo", O_WRONLY | O_NONBLOCK);
  fill(fifo, 100);
  victim_ready();
  for (int i = 0; i < 6; i++) check(&pipes[i]);
  return victim_done();
}
