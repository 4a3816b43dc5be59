#include "mountns/mount_tree.h"

#include "engine/base/error.h"

namespace nsr {
namespace {

/// True when path is base or lies below it.
bool is_below(std::string_view path, std::string_view base) {
  if (base == "/") return !path.empty() && path[0] == '/';
  return path.substr(0, base.size()) == base && (path.size() == base.size() || path[base.size()] == '/');
}

}  // namespace

MountTree::MountTree(std::vector<procfs::MountInfo> mounts) : mounts_(std::move(mounts)) {
  for (size_t i = 0; i < mounts_.size(); ++i)
    if (!index_.emplace(mounts_[i].id, i).second)
      throw Error(Failure::internal, format("mount %d", mounts_[i].id), "stands twice in mountinfo");
}

const procfs::MountInfo* MountTree::by_id(int32_t id) const {
  auto found = index_.find(id);
  return found == index_.end() ? nullptr : &mounts_[found->second];
}

const procfs::MountInfo* MountTree::root() const {
  for (const procfs::MountInfo& mount : mounts_)
    if (mount.parent == mount.id || !by_id(mount.parent)) return &mount;
  return nullptr;
}

std::vector<const procfs::MountInfo*> MountTree::children(int32_t id) const {
  std::vector<const procfs::MountInfo*> found;
  for (const procfs::MountInfo& mount : mounts_)
    if (mount.parent == id && mount.id != id) found.push_back(&mount);
  return found;
}

const procfs::MountInfo* MountTree::containing(std::string_view path) const {
  const procfs::MountInfo* here = root();
  if (!here || !is_below(path, here->mountpoint)) return nullptr;
  // Path lookup walks down: at each mount it crosses into the child whose mountpoint it meets first, which is the
  // shortest one; a child on the mount's own root covers it whole.
  for (;;) {
    const procfs::MountInfo* next = nullptr;
    for (const procfs::MountInfo* child : children(here->id))
      if (is_below(path, child->mountpoint) && (!next || child->mountpoint.size() < next->mountpoint.size()))
        next = child;
    if (!next) return here;
    here = next;
  }
}

}  // namespace nsr
