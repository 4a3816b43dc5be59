// How a tree of mounts is put together again: pure, from what mountinfo said of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nsr {

struct PlacedMount {
  int32_t id = 0, parent = 0;
  std::string mountpoint;                 ///< from the root of the tree
  std::string root;                       ///< what of the file system is mounted
  std::optional<int32_t> shared, master;  ///< peer groups
};

/// One mount and where it goes.
struct AttachStep {
  size_t mount;
  size_t parent;      ///< of the topmost mount: itself
  std::string below;  ///< path from the parent's mountpoint; empty: on its root
};

/// The topmost mount first, then parents before children, and what lies deeper before what lies above it on the same
/// parent, as that would cover it. Throws Error(image) when the mounts are no tree.
std::vector<AttachStep> attach_order(const std::vector<PlacedMount>& mounts);

/// What is done to private mounts so that changes propagate as before.
struct SharingStep {
  enum class Kind {
    share,  ///< becomes a peer group of its own
    join,   ///< joins the group (and the master) of `other`
    slave,  ///< leaves its group and receives from it
  } kind;
  size_t mount;
  size_t other = 0;
};

/// Groups of which no mount is listed are left out. Throws Error(image) for groups that are masters of each other.
std::vector<SharingStep> sharing_steps(const std::vector<PlacedMount>& mounts);

/// Whether changes come from a peer group that has no mount in the list.
bool has_outer_master(const std::vector<PlacedMount>& mounts, const PlacedMount& mount);

/// `path` without `base`, a directory that it is or lies below, and without a slash in front; nothing when it does not.
std::optional<std::string> path_below(const std::string& base, const std::string& path);

}  // namespace nsr
