// Whether a process can be the root of a dump at all.
#pragma once

#include "engine/base/ids.h"

namespace nsr {

/// Throws Error(target) when there is no such process, when it is a zombie, a mere thread, or the engine's ancestor;
/// Error(environment) when /proc does not show the engine's own pid namespace.
void check_target(HostPid root);

/// Whether the tree would suffer from the engine's sudden death: a thread under seccomp, which only a living tracer can
/// suspend, may be killed by its filter for the system calls by which it gives back what was borrowed. Also true for a
/// tree with too many threads to look at.
bool needs_stand_in(HostPid root);

}  // namespace nsr
