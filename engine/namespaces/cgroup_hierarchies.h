// Cgroup hierarchies as the engine reaches them, and the names that are in use for them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/run_options.h"
#include "engine/base/unique_fd.h"

namespace nsr {

/// Directory descriptors of cgroup hierarchies. Each is a mount of the engine's own that is attached nowhere
/// (fsmount(2)), or a directory below --cgroup-yard.
class CgroupHierarchies {
 public:
  explicit CgroupHierarchies(std::string yard) : yard_(std::move(yard)) {}
  /// controllers as in /proc/PID/cgroup: "cpu,cpuacct", "name=systemd", empty for v2. Throws Error(environment).
  int root(const std::string& controllers);

 private:
  std::string yard_;
  std::map<std::string, UniqueFd> roots_;
};

/// "cpu,cpuacct" -> both.
std::vector<std::string> split_controllers(const std::string& controllers);
/// For messages: "cgroup cpu,cpuacct:/a/b".
std::string cgroup_object(const std::string& controllers, const std::string& path);
/// A cgroup's path relative to the root of its hierarchy, for the *at() calls.
const char* relative_cgroup(const std::string& path);
/// False for what is not absolute or leads upwards.
bool is_cgroup_path(const std::string& path);
/// Whether path is the cgroup above or lies below it.
bool is_at_or_below(const std::string& path, const std::string& above);
/// What --cgroup-root says of a hierarchy: "/" or without a slash at its end.
std::optional<std::string> cgroup_root_of(const CgroupOptions& options, const std::string& controllers);

}  // namespace nsr
