// What a new cgroup needs from those above it before its properties can be set.
#pragma once

#include <set>
#include <string>

#include "cgroup.pb.h"

namespace nsr {

/// v1: a new cpuset has neither CPUs nor nodes, and nothing can be in it or below it; it gets those of its parent.
/// Nothing for cgroups of other controllers. hierarchy: directory descriptor.
void inherit_cpuset(int hierarchy, const std::string& path);
/// v2: the controllers ("pids") that saved properties need and the new cgroup at dir_fd does not have.
std::set<std::string> missing_controllers(int dir_fd, const pb::cgroup_dir_entry& saved);
/// v2: hands these down from the root to the parent of path (cgroup.subtree_control), as far as the kernel lets.
void enable_controllers(int hierarchy, const std::string& path, const std::set<std::string>& controllers);

}  // namespace nsr
