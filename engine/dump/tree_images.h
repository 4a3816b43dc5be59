// Ids of a frozen tree: sessions, groups, shared kernel objects, namespaces; pstree.img, ids-*.img.
#pragma once

#include <vector>

#include "core.pb.h"
#include "engine/dump/options.h"
#include "engine/namespaces/namespace_ids.h"
#include "engine/trace/frozen_tree.h"
#include "pstree.pb.h"

namespace nsr {

/// A task as the images know it.
struct TreeEntry {
  pb::pstree_entry pstree;
  pb::task_kobj_ids_entry ids;  ///< live tasks only
  bool first_of_files = false;  ///< the task under whose name its descriptor table is dumped
  bool first_of_vm = false;     ///< the task whose pages are dumped; others with its vm_id have none of their own
};

/// One entry per task in the tree's order. Throws Error(unsupported) for a session or group that lives outside (without
/// shell_job), and for namespaces that the dump cannot describe; namespaces learns those of the tree.
std::vector<TreeEntry> describe_tree(const FrozenTree& tree, bool shell_job, NamespaceIds& namespaces);

}  // namespace nsr
