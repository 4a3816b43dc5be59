// Direct reads are under way all the time while the task is dumped: none of their completions is lost, and what they
// read is in memory.
#include <linux/aio_abi.h>
#include <pthread.h>

#include "victim.h"

enum { REQUESTS = 16, SIZE = 256 << 10 };

static aio_context_t ctx;
static struct iocb request[REQUESTS];
static char* buffer;
static atomic_int stop;
static atomic_long rounds;

static void submit(int i) {
  struct iocb* one = &request[i];
  memset(buffer + i * SIZE, 0, SIZE);
  MUST(syscall(SYS_io_submit, ctx, 1, &one) == 1);
}

static void* read_on(void* unused) {
  for (int i = 0; i < REQUESTS; i++) submit(i);
  for (int in_flight = REQUESTS; in_flight > 0;) {
    struct io_event done;
    long n = syscall(SYS_io_getevents, ctx, 1, 1, &done, NULL);
    if (n < 0 && errno == EINTR) continue;
    CHECK_EQ(n, 1);
    CHECK_EQ(done.res, SIZE);
    int i = (int)done.data;
    CHECK_EQ(victim_compare(buffer + i * SIZE, SIZE, (uint64_t)i), -1);
    rounds++;
    if (stop)
      in_flight--;
    else
      submit(i);
  }
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  buffer = mmap(NULL, REQUESTS * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(buffer != MAP_FAILED);
  int fd = open("data", O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
  if (fd < 0) victim_skip("no direct I/O here");
  for (int i = 0; i < REQUESTS; i++) victim_fill(buffer + i * SIZE, SIZE, (uint64_t)i);
  MUST(write(fd, buffer, REQUESTS * SIZE) == REQUESTS * SIZE);
  for (int i = 0; i < REQUESTS; i++)
    request[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
                               .aio_fildes = (uint32_t)fd,
                               .aio_buf = (uintptr_t)buffer + (uintptr_t)i * SIZE,
                               .aio_nbytes = SIZE,
                               .aio_offset = (int64_t)i * SIZE,
                               .aio_data = (uint64_t)i};
  MUST(syscall(SYS_io_setup, REQUESTS, &ctx) == 0);
  pthread_t reader;
  MUST(pthread_create(&reader, NULL, read_on, NULL) == 0);

  victim_ready();

  stop = 1;
  MUST(pthread_join(reader, NULL) == 0);
  CHECK(rounds >= REQUESTS, "%ld rounds", rounds);
  return victim_done();
}
