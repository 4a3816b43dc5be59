// A child of the engine that acts when the engine dies too early.
#pragma once

#include <sys/types.h>

#include <functional>

#include "engine/base/unique_fd.h"

namespace nsr {

/// Waits in a process of its own, out of reach of what kills the engine's group, for the engine's word or its death.
class DeathWatch {
 public:
  /// last_will runs in the child when the engine has died without done(); it may only make system calls. what: for the
  /// message of Error(environment) when the child cannot be made.
  DeathWatch(const char* what, const std::function<void()>& last_will);
  /// The child takes it for the engine's death when done() was not called. Waits for it.
  ~DeathWatch();
  DeathWatch(const DeathWatch&) = delete;
  /// The last will is void.
  void done();

 private:
  UniqueFd word_;
  pid_t child_ = 0;
};

}  // namespace nsr
