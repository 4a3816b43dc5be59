// The namespaces that a restore makes for the tree.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "engine/images/image_dir.h"
#include "engine/images/namespace_kinds.h"
#include "engine/namespaces/net_namespace.h"
#include "engine/namespaces/own_root.h"
#include "engine/namespaces/user_namespace.h"
#include "engine/restore/born_root.h"
#include "engine/restore/image_set.h"
#include "engine/restore/options.h"
#include "engine/restore/self_settings.h"
#include "engine/restore/shared_area.h"
#include "pidns/children.h"
#include "pidns/in_namespace.h"

namespace nsr {

/// The engine fills them, and lives in them while it opens the tree's files; then it goes back. Where the tree has a
/// pid namespace the root task is born in all of them first, and the engine follows it; else the engine makes them
/// itself, and the root task inherits them. Of a restore that fails they end with the last process in them.
///
/// The engine cannot enter a user namespace and come back. So a member makes what must belong to it: the root task
/// where that is born in it with its pid namespace; else a keeper, a process that lives until the namespaces are
/// filled, and the processes of the tree enter the user namespace when they have all that takes rights outside of it.
class TreeNamespaces {
 public:
  /// What is made: where the images' root task has another id than inventory.root_ids, unless it is given (--join-ns,
  /// --inherit-fd). Throws Error(unsupported) for a kind that cannot be made.
  TreeNamespaces(const ImageDir& images, const ImageSet& set, const RestoreOptions& options);
  ~TreeNamespaces() { leave(); }
  TreeNamespaces(const TreeNamespaces&) = delete;

  /// Whether the root task must be born before enter(), as pid 1 of a new pid namespace.
  bool root_comes_first() const { return root_is_init_; }
  /// The namespaces that it is born with then.
  uint64_t birth_flags() const;
  /// The supplementary groups that it is born with; nothing: it may change them later.
  std::optional<std::vector<uint32_t>> birth_groups() const;

  /// Takes what comes from the restorer's namespaces, enters those that were given, makes those that belong to others
  /// than the root task will. area: for the keeper. Throws Error(environment).
  void prepare(SharedArea& area);
  /// Makes and fills the others, in which the engine is then; the current directory is lost with the mounts. root: the
  /// task that was born first, else null. Throws Error(environment).
  void enter(BornRoot* root);
  /// The /proc of the tree while another one, the engine's, lies over it; else -1.
  int tree_proc() const { return tree_proc_.get(); }
  /// Whether it has a user namespace of its own.
  bool own_user() const { return flags_ & kNewUser; }
  /// What the ids of users and groups in the images are here.
  const UserMap& users() const { return users_.map; }
  /// What the calling process makes meanwhile belongs to the root user of the tree.
  ActsAs as_its_root() const {
    return own_user() ? ActsAs(users().uids.outer(0), users().gids.outer(0)) : ActsAs(IdMap::kNone, IdMap::kNone);
  }
  /// For the programs of the tasks; `keep` takes a descriptor for as long as they are built and run. After enter().
  UserSettings user_settings(const std::function<int(UniqueFd)>& keep) const;
  /// When everything is open: what the tree has in the end and the engine could not live with.
  void finish(BornRoot& root);
  /// Back to where the engine was. May be called again.
  void leave() noexcept;

 private:
  static constexpr uint32_t kNewPid = 0x20000000, kNewUser = 0x10000000;  // CLONE_NEWPID, CLONE_NEWUSER
  bool root_is_member() const { return root_is_init_ && !(users_.outer_namespaces & kNewPid); }
  void find_given();
  void leave_home();
  void unshare(uint32_t flags);
  void make_keeper(SharedArea& area);
  void follow(const BornRoot& member, uint32_t flags);
  void fill(BornRoot* root);
  void fill_mounts(BornRoot* root);
  void cover_proc();
  uint32_t flags_ = 0;  ///< clone(2)
  bool root_is_init_ = false;
  bool proc_last_ = false;  ///< the root mounts a /proc over that of a namespace that the launcher made
  const ImageDir& images_;
  const RestoreOptions& options_;
  const pb::task_kobj_ids_entry& ids_;
  std::vector<std::pair<const NamespaceKind*, UniqueFd>> given_;  ///< entered, not made
  std::vector<UniqueFd> home_;                                    ///< namespaces of the engine to go back to
  std::optional<RouteSocket> home_route_;                         ///< of its network namespace
  UniqueFd home_net_;
  UserNamespace users_;      ///< of the tree, where it has one of its own
  UniqueFd user_namespace_;  ///< the same
  std::optional<BornRoot> keeper_;
  std::optional<InMountNamespace> mounts_home_;
  std::optional<OwnRoot> own_root_;
  std::optional<ChildrenIn> children_;  ///< stand-ins for processes of the tree are made in its pid namespace
  UniqueFd own_proc_;                   ///< a mount of the engine's own, for the time among the tree's
  UniqueFd tree_proc_;                  ///< what it covers then
};

}  // namespace nsr
