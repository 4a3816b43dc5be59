// User namespaces (user_namespaces(7)): maps, setgroups, and which other namespaces of a tree belong to its own one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/id_map.h"
#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"
#include "engine/images/image_dir.h"

namespace nsr {

/// The maps of the user namespace that a task lives in, as this process sees them. Throws Error(target).
UserMap user_map_of(HostPid pid);

/// Whether the namespace behind a descriptor belongs to that user namespace (ioctl_ns(2)).
bool owned_by(const UniqueFd& namespace_fd, const UniqueFd& user_namespace);

/// Writes userns-<id> and nsr-user-<id> for the namespace that the root task of a tree lives in. own_flags: CLONE_NEW*
/// of all namespaces that the tree has of its own. Throws Error(unsupported) where one belongs to neither that user
/// namespace nor this process's, or the user namespace is no child of this process's. Returns those that belong to this
/// process's.
uint32_t dump_user_namespace(ImageDir& images, uint64_t id, HostPid root_task, const UserMap& map, uint32_t own_flags);

/// What the images say of it.
struct UserNamespace {
  UserMap map;
  bool setgroups_denied = false;
  std::vector<uint32_t> outer_groups;  ///< of the first process, where it could not change them inside
  uint32_t outer_namespaces = 0;       ///< CLONE_NEW* of those that belong to the restorer's user namespace
};
/// Throws Error(image).
UserNamespace load_user_namespace(const ImageDir& images, uint64_t id);

/// Gives the new user namespace that a process was born into its maps. Throws Error(environment).
void map_users(const UserNamespace& wanted, HostPid member);

/// The groups of the calling process while this lives; with nothing it has its own.
class WithGroups {
 public:
  /// Throws Error(environment).
  explicit WithGroups(const std::optional<std::vector<uint32_t>>& groups);
  WithGroups(const WithGroups&) = delete;
  ~WithGroups();

 private:
  std::optional<std::vector<uint32_t>> own_;
};

/// Effective ids of the calling process while this lives, by their outer numbers: what it makes belongs to them, and
/// limits of a namespace that only its root may set can be set. It keeps its capabilities. An unknown id
/// (IdMap::kNone) changes nothing.
class ActsAs {
 public:
  ActsAs(uint32_t uid, uint32_t gid);
  ActsAs(const ActsAs&) = delete;
  ~ActsAs();

 private:
  uint32_t uid_, gid_;
};

}  // namespace nsr
