// Lets go of a tree as a whole: when the engine dies between the first and the last process, all of them die.
#pragma once

#include <vector>

#include "engine/base/death_watch.h"
#include "engine/base/ids.h"

namespace nsr {

/// Tasks that are still traced die with the engine (PTRACE_O_EXITKILL), those that run already are killed by the watch.
class ReleaseGuard {
 public:
  /// tasks: all processes of the tree, stopped. Throws Error(environment) when the guard cannot be made.
  explicit ReleaseGuard(const std::vector<HostPid>& tasks);
  /// All of the tree runs.
  void done() { watch_.done(); }

 private:
  std::vector<UniqueFd> pidfds_;
  DeathWatch watch_;
};

}  // namespace nsr
