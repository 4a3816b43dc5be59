#include "engine/memory/smaps_ahead.h"

#include "engine/procfs/reader.h"

namespace nsr {
namespace {
constexpr size_t kThreads = 8;  // what comes after these is read when it is taken
}

void SmapsAhead::start(HostPid pid) {
  auto policy = readings_.size() < kThreads ? std::launch::async : std::launch::deferred;
  readings_.emplace(pid, std::async(policy, [pid] { return procfs::parse_smaps(procfs::ProcDir(pid).read("smaps")); }));
}

std::vector<procfs::SmapsEntry> SmapsAhead::take(HostPid pid) {
  auto reading = readings_.extract(pid);
  return reading.mapped().get();
}

}  // namespace nsr
