// Lets go of a tree as a whole: when the engine dies between the first and the last process, all of them die.
#pragma once

#include <sys/types.h>

#include <vector>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"

namespace nsr {

/// A child of the engine that waits for its word. Tasks that are still traced die with the engine (PTRACE_O_EXITKILL),
/// those that run already are killed by the guard.
class ReleaseGuard {
 public:
  /// tasks: all processes of the tree, stopped. Throws Error(environment) when the guard cannot be made.
  explicit ReleaseGuard(const std::vector<HostPid>& tasks);
  /// The guard takes it for the engine's death when done() was not called.
  ~ReleaseGuard();
  ReleaseGuard(const ReleaseGuard&) = delete;
  /// All of the tree runs.
  void done();

 private:
  [[noreturn]] static void watch(int word, const std::vector<UniqueFd>& pidfds);
  UniqueFd word_;
  pid_t guard_ = 0;
};

}  // namespace nsr
