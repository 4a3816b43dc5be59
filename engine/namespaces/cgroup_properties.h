// Files of a cgroup that are settings: which ones a dump saves, and reading and writing them.
#pragma once

#include <string>

#include "cgroup.pb.h"

namespace nsr {

/// Saves the properties of the cgroup at dir_fd that exist and can be read, and its owner and mode.
void collect_properties(int dir_fd, const std::string& controllers, pb::cgroup_dir_entry& out);
/// Writes those whose value differs, owners and modes. Throws Error(environment) naming the property that cannot be
/// set; one that the kernel does not have is a warning.
void apply_properties(int dir_fd, const std::string& object, const pb::cgroup_dir_entry& dir);

}  // namespace nsr
