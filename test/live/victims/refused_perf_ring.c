// The mapped ring of a perf event whose descriptor is closed.
// flavours: refused
// refused: pid \d+ mapping .*perf event
#include <linux/perf_event.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK};
  int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) victim_skip("no perf events here");
  struct perf_event_mmap_page* ring = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(ring != MAP_FAILED && close(fd) == 0);
  victim_ready();
  CHECK(ring->data_size == 2 * 4096);
  return victim_done();
}
