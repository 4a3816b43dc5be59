// Where a path of a task's mount namespace is found from the engine.
#pragma once

#include <string>
#include <unordered_map>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"

namespace nsr {

/// Translates absolute paths as readlink of /proc/PID/fd shows them. Remembers what it learns about a task.
class TaskPaths {
 public:
  /// A path that leads the engine to `path` of that task's mount namespace. When the task lives in another mount
  /// namespace the way goes through /proc/PID/root, and for what its chroot hides through the root of that namespace.
  /// Throws Error(target) when the task is gone.
  std::string from_engine(HostPid pid, const std::string& path);

 private:
  struct View {
    bool same_namespace = false;
    std::string root;  ///< the task's root as the link of /proc/PID/root shows it
    UniqueFd top;      ///< root of its mount namespace, once it was needed
  };
  View& view_of(HostPid pid);

  std::unordered_map<HostPid, View> views_;
};

}  // namespace nsr
