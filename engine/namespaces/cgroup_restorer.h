// The cgroups of a restored tree (cgroups(7), v1 and v2).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cgroup.pb.h"
#include "engine/base/ids.h"
#include "engine/namespaces/cgroup_hierarchies.h"

namespace nsr {

/// Makes what is missing as --manage-cgroups says and moves tasks. What it made goes with it unless keep() was called;
/// no task may be inside any more then.
class CgroupRestorer {
 public:
  /// Throws Error(image) for sets that contradict themselves.
  CgroupRestorer(const CgroupOptions& options, pb::cgroup_entry entry, uint32_t root_set);
  ~CgroupRestorer();
  CgroupRestorer(const CgroupRestorer&) = delete;
  /// Whether tasks of this set have to be moved at all. Throws Error(image) when there is no such set.
  bool moves(uint32_t set) const;
  /// Makes directories and sets properties; before any task exists.
  void prepare();
  /// Moves a whole process, or (thread) one thread only, from one set into another; 0 and the dumper's set are the
  /// engine's own cgroups.
  void move(uint32_t from, uint32_t set, HostPid id, bool thread);
  /// Sets the limits that would have been in the way of making the tree: when all tasks are in their cgroups.
  void set_limits();
  void keep() { made_.clear(); }
  /// Freezes those cgroups that were frozen at the dump: when the tree has been let go.
  void freeze_again();

 private:
  struct Made {
    int root;
    std::string path;
  };
  struct Limited {
    UniqueFd dir;
    std::string object;
    const pb::cgroup_dir_entry* entry;
  };
  std::map<std::string, std::string> places(uint32_t set) const;
  std::string relocated(const std::string& controllers, const std::string& path) const;
  void make(const std::string& controllers, int root, const std::string& path, const pb::cgroup_dir_entry& dir);
  bool make_directory(const std::string& controllers, int root, const std::string& path);
  void thaw(int dir, const pb::cgroup_dir_entry& entry);
  void check_thawed();

  const CgroupOptions& options_;
  pb::cgroup_entry entry_;
  uint32_t root_set_;
  CgroupHierarchies hierarchies_;
  std::map<uint32_t, const pb::cg_set_entry*> sets_;
  std::map<std::string, std::string> tops_;  ///< by hierarchy: the cgroup that all others of the images lie below
  std::vector<Made> made_;
  std::vector<Limited> limited_;
  std::vector<UniqueFd> to_freeze_;
};

}  // namespace nsr
