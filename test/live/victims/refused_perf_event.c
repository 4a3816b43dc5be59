// A perf event cannot be saved: refused with its descriptor and kind; a child has it, and the whole tree goes on.
// flavours: refused
// refused: pid \d+ fd \d+.*perf_event
#include <linux/perf_event.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int ends[2];
  MUST(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_TASK_CLOCK};
    int fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
    MUST(write(ends[1], &fd, sizeof fd) == sizeof fd);
    victim_wait();
    uint64_t count = 0;
    CHECK(read(fd, &count, 8) == 8 && count > 0);
    victim_child_done();
  }
  int fd = -1;
  MUST(read(ends[0], &fd, sizeof fd) == sizeof fd);
  if (fd < 0) {
    kill(child, SIGKILL);
    victim_skip("no perf events here");
  }
  victim_ready();
  victim_join(child);
  return victim_done();
}
