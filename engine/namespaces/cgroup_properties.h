// Files of a cgroup that are settings: reading and writing them.
#pragma once

#include <string>
#include <vector>

#include "cgroup.pb.h"

namespace nsr {

/// Saves those of the named properties of the cgroup at dir_fd that exist and can be read, and its owner and mode.
void collect_properties(int dir_fd, const std::vector<std::string>& names, pb::cgroup_dir_entry& out);
/// Adds what says that the cgroup at dir_fd is frozen.
void add_frozen(int dir_fd, pb::cgroup_dir_entry& out);
/// Whether it was frozen; apply_properties leaves that to the caller.
bool is_saved_frozen(const pb::cgroup_dir_entry& dir);
/// Writes those whose value differs, owners and modes, except limits that would be in the way of making the tree
/// (pids.max). Throws Error(environment) naming the property that cannot be set; one that the kernel does not have is a
/// warning.
void apply_properties(int dir_fd, const std::string& object, const pb::cgroup_dir_entry& dir);
/// Those limits: when the tree is complete.
bool has_limits(const pb::cgroup_dir_entry& dir);
void apply_limits(int dir_fd, const std::string& object, const pb::cgroup_dir_entry& dir);

}  // namespace nsr
