// Which cgroups the tasks of a tree are in (cgroups(7), v1 and v2).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "cgroup.pb.h"
#include "engine/base/ids.h"
#include "engine/namespaces/cgroup_hierarchies.h"
#include "engine/namespaces/cgroup_selection.h"
#include "engine/procfs/cgroup.h"

namespace nsr {

/// Gives every distinct membership a number and writes cgroup.img for those that are not the engine's own.
class CgroupCollector {
 public:
  explicit CgroupCollector(const CgroupOptions& options);
  bool ignored() const { return ignored_; }
  /// Number of the set of a thread, from its "cgroup" file: 1 for the engine's own set, 0 when cgroups are ignored.
  uint32_t set_of(const std::string& text, HostPid tid);
  uint32_t root_set() const { return ignored_ ? 0 : 1; }
  /// This cgroup (its directory) counts as frozen, although it is thawed for the dump.
  void note_frozen(int dir);
  /// Sets, directories and their properties; empty when all tasks are in the engine's own set.
  pb::cgroup_entry entry();

 private:
  using Set = std::vector<procfs::CgroupEntry>;
  bool is_wanted(const std::string& controllers) const;
  void collect_hierarchy(const std::string& controllers, const std::vector<std::string>& paths,
                         pb::cg_controller_entry& out);
  void collect_directory(int parent_fd, const char* path, const std::vector<std::string>& properties,
                         pb::cgroup_dir_entry& out) const;

  const CgroupOptions& options_;
  bool ignored_;
  CgroupHierarchies hierarchies_;
  CgroupSelection selection_;
  std::vector<Set> sets_;  ///< [0] is the engine's own
  std::optional<std::pair<dev_t, ino_t>> frozen_;
  std::string last_text_;  ///< of the thread before: mostly that of the next, too
  uint32_t last_set_ = 0;
};

}  // namespace nsr
