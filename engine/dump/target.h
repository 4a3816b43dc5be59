// Whether a process can be the root of a dump at all.
#pragma once

#include "engine/base/ids.h"

namespace nsr {

/// Throws Error(target) when there is no such process, when it is a zombie, a mere thread, or the engine's ancestor;
/// Error(environment) when /proc does not show the engine's own pid namespace.
void check_target(HostPid root);

}  // namespace nsr
