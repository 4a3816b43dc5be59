// Stops all tasks of a cgroup at once: freezer.state of v1, cgroup.freeze of v2 (cgroups(7)).
#pragma once

#include <memory>
#include <set>
#include <string>

#include "engine/base/death_watch.h"
#include "engine/base/unique_fd.h"
#include "engine/trace/tracee.h"

namespace nsr {

/// Name and values of the file that freezes a cgroup of one version.
struct FreezeFile {
  const char* name;
  const char* frozen;
  const char* thawed;
};
inline constexpr FreezeFile kFreezeFiles[] = {{"freezer.state", "FROZEN", "THAWED"}, {"cgroup.freeze", "1", "0"}};
/// Null for a directory that is no cgroup, or one that cannot be frozen (the root, another controller of v1).
const FreezeFile* freeze_file(int cgroup_dir);
/// Whether its tasks stand still now, by itself or by a cgroup above it. False for what has no such file.
bool is_frozen(int cgroup_dir);
/// Asks for it; false with errno.
bool set_frozen(int cgroup_dir, bool frozen);

/// The freezer of one cgroup. At its end, also by the engine's death, the cgroup is as it was found.
class CgroupFreezer {
 public:
  /// dir: the cgroup. path: for messages. Throws Error(environment) when it has no freezer.
  CgroupFreezer(UniqueFd dir, std::string path);
  ~CgroupFreezer();
  CgroupFreezer(const CgroupFreezer&) = delete;
  /// Whether it was frozen when it was found.
  bool found_frozen() const { return found_frozen_; }
  /// Waits until all its tasks stand still. Throws Error(timeout).
  void freeze(const Deadline& deadline);
  /// Its tasks run, unless something else stops them. Throws Error(environment) when a cgroup above is frozen too.
  void thaw();
  /// Once: the state in which it was found.
  void put_back();
  /// Throws Error(target) when this process is neither in the cgroup nor in one below it.
  void check_member(HostPid pid);
  int dir() const { return dir_.get(); }

 private:
  void set(bool frozen);

  UniqueFd dir_;
  std::string path_;
  const FreezeFile* file_;
  bool found_frozen_;
  std::set<int> members_;  ///< processes, read once
  std::unique_ptr<DeathWatch> watch_;
};

}  // namespace nsr
