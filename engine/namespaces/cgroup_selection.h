// Which properties of a cgroup a dump saves: a built-in list, changed by --cgroup-props and --cgroup-props-file.
#pragma once

#include <string>
#include <vector>

namespace nsr {

/// The text is YAML of this form, quotes optional; `\n` stands for a line break, for shells that do not make one:
///     "memory":
///       - "strategy": "merge"            replace | merge with the built-in list
///       - "properties": ["memory.oom_control", "memory.move_charge_at_immigrate"]
/// A controller of v1 is named as in /proc/PID/cgroup. In the v2 hierarchy its name stands for the files that begin
/// with it ("memory.max"); "cgroup2" stands for all of them.
class CgroupSelection {
 public:
  /// The built-in list.
  CgroupSelection();
  /// Changes it. Throws Error(usage) with the line that is wrong; source: "--cgroup-props" or the file.
  void change(const std::string& yaml, const std::string& source);
  /// Files to save in a hierarchy, in the order in which they can be set. controllers as in /proc/PID/cgroup, empty for
  /// v2.
  std::vector<std::string> names(const std::string& controllers) const;

 private:
  struct Property {
    std::string controller, name;  ///< controller empty: of every v1 hierarchy; "cgroup2": of v2
  };
  void change(const std::string& controller, bool replace, const std::vector<std::string>& properties);
  std::vector<Property> v1_, v2_;
};

}  // namespace nsr
