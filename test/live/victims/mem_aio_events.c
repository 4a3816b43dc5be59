// AIO contexts with completed events that nobody has taken, heads and tails in the middle of the ring: the events and
// the order stay, and the contexts go on.
#include <linux/aio_abi.h>

#include "victim.h"

enum { DEEP = 40 };

static void submit(aio_context_t ctx, int fd, char* text, uint64_t data) {
  struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PREAD,
                    .aio_fildes = (uint32_t)fd,
                    .aio_buf = (uintptr_t)text,
                    .aio_nbytes = 16,
                    .aio_offset = (int64_t)data,
                    .aio_data = data};
  struct iocb* list[] = {&cb};
  MUST(syscall(SYS_io_submit, ctx, 1, list) == 1);
}

static void take(aio_context_t ctx, uint64_t data) {
  struct io_event done = {0};
  CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 1, &done, NULL), 1);
  CHECK_EQ(done.data, data);
  CHECK_EQ(done.res, 16);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  MUST(fd >= 0);
  static char text[DEEP][16];
  aio_context_t ctx[3] = {0};
  static const int size[] = {DEEP, 1, 1000}, taken[] = {7, 3, 100}, left[] = {5, 0, 20};
  for (int c = 0; c < 3; c++) {
    MUST(syscall(SYS_io_setup, size[c], &ctx[c]) == 0);
    for (int i = 0; i < taken[c]; i++) submit(ctx[c], fd, text[i % DEEP], (uint64_t)i), take(ctx[c], (uint64_t)i);
    for (int i = 0; i < left[c]; i++) submit(ctx[c], fd, text[i], 1000u + (uint64_t)i);
  }
  // a ring wrapped many times
  for (int i = 0; i < 3000; i++) submit(ctx[1], fd, text[0], (uint64_t)i), take(ctx[1], (uint64_t)i);

  victim_ready();

  for (int c = 0; c < 3; c++) {
    for (int i = 0; i < left[c]; i++) take(ctx[c], 1000u + (uint64_t)i);
    struct io_event none;
    struct timespec now = {0, 0};
    CHECK_EQ(syscall(SYS_io_getevents, ctx[c], 0, 1, &none, &now), 0);
    for (int i = 0; i < 200; i++) submit(ctx[c], fd, text[0], (uint64_t)i), take(ctx[c], (uint64_t)i);
    CHECK(syscall(SYS_io_destroy, ctx[c]) == 0);
  }
  return victim_done();
}
