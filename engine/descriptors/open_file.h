// Looking at one descriptor of a task through /proc.
#pragma once

#include <optional>

#include "engine/descriptors/kind.h"

namespace nsr {

/// What /proc/PID/fd/N, its stat and /proc/PID/fdinfo/N say. No value when the descriptor is not open (any more).
/// Throws Error(target) when it is there but cannot be looked at.
std::optional<OpenFile> look_at(HostPid pid, NsPid nspid, int fd);

}  // namespace nsr
