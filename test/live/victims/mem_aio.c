// An idle AIO context (io_setup(2)): same id, its ring at the same place, and it works.
#include <linux/aio_abi.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  aio_context_t small = 0, large = 0;
  MUST(syscall(SYS_io_setup, 32, &small) == 0);
  MUST(syscall(SYS_io_setup, 4000, &large) == 0);
  aio_context_t ids[2] = {small, large};

  victim_ready();

  int fd = open("/proc/self/exe", O_RDONLY);
  for (int i = 0; i < 2; i++) {
    char text[16] = {0};
    struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PREAD,
                      .aio_fildes = (uint32_t)fd,
                      .aio_buf = (uintptr_t)text,
                      .aio_nbytes = 16,
                      .aio_data = 7};
    struct iocb* list[] = {&cb};
    struct io_event done;
    CHECK_EQ(syscall(SYS_io_submit, ids[i], 1, list), 1);
    CHECK_EQ(syscall(SYS_io_getevents, ids[i], 1, 1, &done, NULL), 1);
    CHECK(done.data == 7 && done.res == 16 && text[1] == 'E', "context %d", i);
    CHECK(syscall(SYS_io_destroy, ids[i]) == 0);
  }
  return victim_done();
}
