// The namespaces that a restore makes for the tree.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "engine/images/image_dir.h"
#include "engine/images/namespace_kinds.h"
#include "engine/namespaces/net_namespace.h"
#include "engine/namespaces/own_root.h"
#include "engine/restore/born_root.h"
#include "engine/restore/image_set.h"
#include "engine/restore/options.h"
#include "pidns/children.h"
#include "pidns/in_namespace.h"

namespace nsr {

/// The engine fills them, and lives in them while it opens the tree's files; then it goes back. Where the tree has a
/// pid namespace the root task is born in all of them first, and the engine follows it; else the engine makes them
/// itself, and the root task inherits them. Of a restore that fails they end with the last process in them.
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
  uint64_t birth_flags() const { return root_is_init_ ? flags_ | kNewPid : 0; }

  /// Takes what comes from the restorer's namespaces and enters those that were given. Throws Error(environment).
  void prepare();
  /// Makes and fills the others, in which the engine is then; the current directory is lost with the mounts. root: the
  /// task that was born first, else null. Throws Error(environment).
  void enter(BornRoot* root);
  /// The /proc of the tree while another one, the engine's, lies over it; else -1.
  int tree_proc() const { return tree_proc_.get(); }
  /// When everything is open: what the tree has in the end and the engine could not live with.
  void finish(BornRoot& root);
  /// Back to where the engine was. May be called again.
  void leave() noexcept;

 private:
  static constexpr uint64_t kNewPid = 0x20000000;  // CLONE_NEWPID
  void find_given();
  void make(BornRoot* root);
  void follow(const BornRoot& root);
  void fill(const NetFill& net, BornRoot* root);
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
  std::optional<InMountNamespace> mounts_home_;
  std::optional<OwnRoot> own_root_;
  std::optional<ChildrenIn> children_;  ///< stand-ins for processes of the tree are made in its pid namespace
  UniqueFd own_proc_;                   ///< a mount of the engine's own, for the time among the tree's
  UniqueFd tree_proc_;                  ///< what it covers then
};

}  // namespace nsr
