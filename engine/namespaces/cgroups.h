// Which cgroups the tasks of a tree are in, and their making again (cgroups(7), v1 and v2).
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cgroup.pb.h"
#include "engine/base/ids.h"
#include "engine/base/run_options.h"
#include "engine/base/unique_fd.h"
#include "engine/namespaces/cgroup_selection.h"
#include "engine/procfs/cgroup.h"
#include "engine/procfs/reader.h"

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
  std::string below_root(const procfs::CgroupEntry& e) const;
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
  void keep() { made_.clear(); }
  /// Freezes those cgroups that were frozen at the dump: when the tree has been let go.
  void freeze_again();

 private:
  struct Made {
    int root;
    std::string path;
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
  std::vector<Made> made_;
  std::vector<UniqueFd> to_freeze_;
};

}  // namespace nsr
