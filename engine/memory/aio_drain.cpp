#include "engine/memory/aio_drain.h"

#include <time.h>

#include <cinttypes>
#include <cstdio>

#include "engine/base/file_io.h"
#include "engine/base/interruption.h"
#include "engine/base/log.h"
#include "engine/trace/tracee.h"

namespace nsr {
namespace {

const Logger log("memory");
constexpr int kQuiet = 100, kQuietDisks = 2;  // steps
constexpr int kPatience = 5000;
constexpr uint64_t kTailOffset = 12;  // struct aio_ring of fs/aio.c: id, nr, head, tail

/// The column "I/Os currently in progress" of /proc/diskstats.
bool disks_are_idle() {
  std::string text = read_file("/proc/diskstats").value_or("");
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    uint64_t in_progress = 0;
    if (std::sscanf(text.c_str() + at, "%*u %*u %*s %*u %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &in_progress) == 1 &&
        in_progress != 0)
      return false;
    if (text.find('\n', at) == std::string::npos) break;
  }
  return !text.empty();
}

std::vector<uint32_t> tails_of(HostPid pid, const std::vector<uint64_t>& rings) {
  std::vector<uint32_t> out(rings.size());
  for (size_t i = 0; i < rings.size(); i++)
    (void)try_read_memory(pid, RemoteAddr(rings[i] + kTailOffset), &out[i], sizeof out[i]);
  return out;
}

}  // namespace

void wait_for_aio(HostPid pid, const std::vector<uint64_t>& rings) {
  log.warn(
      "pid %d: requests of its AIO contexts that wait for a file to become ready (IOCB_CMD_POLL) are lost, if there "
      "are any: no kernel shows them",
      pid.value);
  std::vector<uint32_t> last = tails_of(pid, rings);
  int quiet = 0;
  for (int step = 0; step < kPatience; step++) {
    if (quiet >= kQuiet || (quiet >= kQuietDisks && disks_are_idle())) return;
    check_interruption();
    timespec pause{0, 1000000};
    ::nanosleep(&pause, nullptr);
    std::vector<uint32_t> now = tails_of(pid, rings);
    quiet = now == last ? quiet + 1 : 0;
    last = std::move(now);
  }
  log.warn("pid %d: its AIO requests went on for %d ms; those still under way are lost", pid.value, kPatience);
}

}  // namespace nsr
