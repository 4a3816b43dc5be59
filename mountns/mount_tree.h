// The mounts of one mount namespace as a tree, built from the lines of mountinfo.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/procfs/mountinfo.h"

namespace nsr {

class MountTree {
 public:
  /// Takes the lines in the order of mountinfo. Throws Error(internal) when an id appears twice.
  explicit MountTree(std::vector<procfs::MountInfo> mounts);

  const std::vector<procfs::MountInfo>& mounts() const { return mounts_; }
  /// Null when there is no such mount.
  const procfs::MountInfo* by_id(int32_t id) const;
  /// The topmost mount that is listed: its parent is itself or not listed. Null when there are none.
  const procfs::MountInfo* root() const;
  /// Mounts whose parent this is, in the order they were made.
  std::vector<const procfs::MountInfo*> children(int32_t id) const;
  /// The mount that a path (absolute, without "." and ".." and symbolic links) is on: the last made of those with the
  /// longest mountpoint that is visible, i.e. not hidden under a later mount. Null for a relative path.
  const procfs::MountInfo* containing(std::string_view path) const;

 private:
  std::vector<procfs::MountInfo> mounts_;
  std::map<int32_t, size_t> index_;
};

}  // namespace nsr
