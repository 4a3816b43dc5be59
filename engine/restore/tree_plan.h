// In which order processes are made so that parents, sessions and groups come out right. Pure: no syscalls.
#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/restore/image_set.h"

namespace nsr {

/// A process to be made: a task of the images, or a helper that only leads a session or group whose leader has exited,
/// or that only makes others which its death gives to their parent.
struct PlanNode {
  enum class Kind { task, zombie, helper };
  Kind kind = Kind::task;
  int task = -1;  ///< index in ImageSet::tasks; -1 for helpers
  NsPid pid;
  bool setsid = false;            ///< becomes leader of a session of its own
  bool own_group = false;         ///< becomes leader of a group of its own (inside its session)
  NsPid join_group;               ///< group of another leader, joined when all exist; 0 = none
  bool sibling = false;           ///< made with CLONE_PARENT: its parent is that of the node that makes it
  uint64_t share = 0;             ///< CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_SIGHAND: what it shares with its maker
  int exit_signal = SIGCHLD;      ///< what its parent gets when it ends; siblings inherit their maker's
  std::optional<size_t> adopter;  ///< of a helper: the node that gets its children when it exits
  std::vector<size_t> early;      ///< nodes made before setsid (they keep the older session)
  std::vector<size_t> late;       ///< nodes made after it
  std::vector<NsPid> reap;        ///< helpers among its children, waited for when they have done their work
  /// A thread with children or a working directory of its own: made together with the process.
  struct Branch {
    size_t thread = 0;  ///< index in ImageTask::threads
    std::vector<size_t> children;
  };
  std::vector<Branch> branches;
  bool shares(uint64_t flag) const { return (share & flag) != 0; }
  /// Everything that it makes: early, late, children of its threads.
  std::vector<size_t> made() const;
};

struct TreePlan {
  std::vector<PlanNode> nodes;  ///< [0] is the root
};

/// Throws Error(unsupported) naming the pid for a session that cannot be made this way, or for what tasks share and
/// cannot get by clone(2).
/// inherit_session: the root stays in the engine's session and group where the images name one outside (--shell-job).
/// spare_id: gives ids that nobody has, for helpers; no image may use them.
TreePlan plan_tree(const ImageSet& set, bool inherit_session, const std::function<NsPid()>& spare_id);

}  // namespace nsr
