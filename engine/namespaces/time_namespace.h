// Clocks of a tree (time_namespaces(7)): CLOCK_MONOTONIC and CLOCK_BOOTTIME must not go back by a restore.
#pragma once

#include "engine/base/ids.h"
#include "timens.pb.h"

namespace nsr {

/// The clocks as a task sees them, and whether its time namespace is another than the engine's. Throws
/// Error(unsupported) for a task between two (unshare(CLONE_NEWTIME) without a child yet).
struct TaskClocks {
  pb::timens_entry now;
  bool own_namespace = false;
};
TaskClocks clocks_of(HostPid pid);
/// Throws Error(unsupported) when the two tasks are in different time namespaces.
void check_same_clocks(HostPid root, HostPid other);

/// When this host's clocks are behind those of the images, children of the engine are born in a new time namespace
/// where they go on from there (Linux 5.6). Elsewhere, and without the right to make one, it is a warning. Call before
/// the first task is made. Returns whether there is a new namespace.
bool carry_clocks_on(const pb::timens_entry& image);
/// After that, when the first task exists: further children of the engine, such as action scripts, have its own clocks
/// again. (Between two time namespaces posix_spawn(3) fails before Linux 6.2.) The engine has a single thread.
void keep_own_clocks();

}  // namespace nsr
