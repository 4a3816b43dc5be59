// smaps of stopped tasks, read by threads of the engine while it is busy with their other state.
#pragma once

#include <future>
#include <map>
#include <vector>

#include "engine/base/ids.h"
#include "engine/procfs/smaps.h"

namespace nsr {

class SmapsAhead {
 public:
  /// The task is stopped and its own mappings stay as they are until take().
  void start(HostPid pid);
  /// Waits for it; throws what the reading threw. Once for each start().
  std::vector<procfs::SmapsEntry> take(HostPid pid);

 private:
  std::map<HostPid, std::future<std::vector<procfs::SmapsEntry>>> readings_;
};

}  // namespace nsr
