// In which order processes are made so that parents, sessions and groups come out right. Pure: no syscalls.
#pragma once

#include <string>
#include <vector>

#include "engine/restore/image_set.h"

namespace nsr {

/// A process to be made: a task of the images, or a helper that only leads a session or group whose leader has exited.
struct PlanNode {
  enum class Kind { task, zombie, helper };
  Kind kind = Kind::task;
  int task = -1;  ///< index in ImageSet::tasks; -1 for helpers
  NsPid pid;
  bool setsid = false;        ///< becomes leader of a session of its own
  bool own_group = false;     ///< becomes leader of a group of its own (inside its session)
  NsPid join_group;           ///< group of another leader, joined when all exist; 0 = none
  bool sibling = false;       ///< made with CLONE_PARENT: its parent is that of the node that makes it
  std::vector<size_t> early;  ///< nodes made before setsid (they keep the older session)
  std::vector<size_t> late;   ///< nodes made after it
  std::vector<NsPid> reap;    ///< helpers among its children, waited for when they have done their work
};

struct TreePlan {
  std::vector<PlanNode> nodes;  ///< [0] is the root
};

/// Throws Error(unsupported) naming the pid for a session that cannot be made this way.
/// inherit_session: the root stays in the engine's session and group where the images name one outside (--shell-job).
TreePlan plan_tree(const ImageSet& set, bool inherit_session);

}  // namespace nsr
