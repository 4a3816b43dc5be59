// Ids of a frozen tree: sessions, groups, shared kernel objects, namespaces; pstree.img, ids-*.img.
#pragma once

#include <vector>

#include "core.pb.h"
#include "engine/dump/options.h"
#include "engine/trace/frozen_tree.h"
#include "pstree.pb.h"

namespace nsr {

/// A task as the images know it.
struct TreeEntry {
  pb::pstree_entry pstree;
  pb::task_kobj_ids_entry ids;  ///< live tasks only
  bool first_of_files = false;  ///< the task under whose name its descriptor table is dumped
};

/// One entry per task in the tree's order. Throws Error(unsupported) for a session or group that lives outside (without
/// shell_job), and for namespaces that the dump cannot describe.
std::vector<TreeEntry> describe_tree(const FrozenTree& tree, bool shell_job);

/// Id in the images of the namespace with that inode: of the one of this type (clone flag) that the task lives in. 0
/// when it lives in another one.
uint32_t namespace_image_id(uint32_t clone_flag, uint64_t inode, HostPid task);

/// Ids of the engine itself: what "stay in the restorer's namespaces" is compared with.
pb::task_kobj_ids_entry engine_ids();

}  // namespace nsr
