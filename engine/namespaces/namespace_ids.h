// Numbers of the namespaces in the images of a dump.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core.pb.h"
#include "engine/base/id_map.h"
#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"
#include "engine/images/namespace_kinds.h"

namespace nsr {

/// The engine's own namespaces are 1, 2, ... in the order of kNamespaceKinds; others get the next numbers as they are
/// met. What the root task lives in is what the restore makes anew where the number is not the engine's.
class NamespaceIds {
 public:
  NamespaceIds();

  /// What "stay in the restorer's namespaces" is compared with (inventory.root_ids).
  pb::task_kobj_ids_entry of_engine() const;
  /// To be called for the root task first. A pid namespace whose init is not the root, and the mount namespace that
  /// comes with it, count as the engine's: ns-restore makes them. Throws Error(unsupported) for a namespace that the
  /// dump cannot describe.
  void set_root(HostPid pid, NsPid inner);
  /// Fills the ids of a live task of the tree. Throws Error(unsupported) when it lives in other namespaces than the
  /// root task.
  void set(HostPid pid, pb::task_kobj_ids_entry& ids) const;
  /// Name of a kind of namespace that this thread does not have in common with the root task; null: all that a thread
  /// can have alone are the same. shares_fs: it has its process's working directory, and so its mount namespace.
  const char* other_kind(HostPid tid, bool shares_fs) const;
  /// Id of a namespace of this type that the tree lives in by its inode; 0 when it is another one.
  uint32_t find(uint32_t clone_flag, uint64_t inode) const;
  /// Whether the tree has a namespace of this kind that is not the engine's.
  bool own(uint32_t clone_flag) const;
  /// CLONE_NEW* of all that it has of its own.
  uint32_t all_own() const;
  /// Ids of users and groups in the user namespace of the tree. Valid after set_root().
  const UserMap& users() const { return users_; }

 private:
  std::map<uint32_t, std::pair<uint64_t, uint32_t>> tree_;  ///< by clone flag: inode and id of what the root lives in
  UserMap users_;
};

/// The key that --external KIND[INODE]:KEY gives a namespace; empty when none does.
std::string external_namespace_key(const std::vector<std::string>& external, const UniqueFd& namespace_fd,
                                   const char* kind);

}  // namespace nsr
