// The stopping of a process tree (frozen_tree.h holds it then).
#pragma once

#include <vector>

#include "engine/trace/frozen_tree.h"

namespace nsr {

/// Seizes, interrupts and waits for root and all its descendants, all threads, until a look finds no new one. Adds them
/// to tasks, in the order of discovery, as they are seized: after an Error(target/timeout) too they must be let go.
void stop_tree(std::vector<FrozenTask>& tasks, HostPid root, const Deadline& deadline, CgroupFreezer* cgroup);

}  // namespace nsr
