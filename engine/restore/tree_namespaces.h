// The namespaces that a restore makes for the tree.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "engine/images/image_dir.h"
#include "engine/images/namespace_kinds.h"
#include "engine/namespaces/net_namespace.h"
#include "engine/restore/image_set.h"
#include "engine/restore/options.h"
#include "pidns/in_namespace.h"

namespace nsr {

/// The engine itself makes them, fills them, and lives in them while it opens the tree's files and makes its root,
/// which so inherits all of it; then the engine goes back. Of a restore that fails they end with the last process in
/// them.
class TreeNamespaces {
 public:
  /// What is made: where the images' root task has another id than inventory.root_ids, unless it is given (--join-ns,
  /// --inherit-fd). Throws Error(unsupported) for a kind that cannot be made.
  TreeNamespaces(const ImageDir& images, const ImageSet& set, const RestoreOptions& options);
  ~TreeNamespaces() { leave(); }
  TreeNamespaces(const TreeNamespaces&) = delete;

  /// Whether the root task is made as pid 1 of a new pid namespace.
  bool root_is_init() const { return root_is_init_; }
  /// Whether it must mount a /proc of that namespace (over the one that is there).
  bool mounts_proc() const { return mounts_proc_; }

  /// Makes and fills them. The current directory stays. Throws Error(environment).
  void enter();
  /// Back to where the engine was. May be called again.
  void leave() noexcept;

 private:
  void find_given();
  void fill(const NetFill& net);
  uint32_t flags_ = 0;  ///< clone(2)
  bool root_is_init_ = false, mounts_proc_ = false;
  const ImageDir& images_;
  const RestoreOptions& options_;
  const pb::task_kobj_ids_entry& ids_;
  std::vector<std::pair<const NamespaceKind*, UniqueFd>> given_;  ///< entered, not made
  std::vector<UniqueFd> home_;                                    ///< namespaces of the engine to go back to
  std::optional<InMountNamespace> mounts_home_;
};

}  // namespace nsr
