#include "engine/namespaces/own_root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/namespaces/mount_images.h"
#include "mountns/private_proc.h"
#include "nsr-mnt.pb.h"

namespace nsr {
namespace {

const Logger log("mounts");

std::string type_of(const pb::mnt_entry& e) {
  const FileSystem* fs = file_system(e.fstype());
  return fs ? fs->name : e.fsname();
}

std::string given_path(const std::vector<std::string>& external, const pb::mnt_entry& e) {
  std::string prefix = "mnt[" + e.ext_key() + "]:", path;
  for (const std::string& text : external)
    if (text.starts_with(prefix)) path = text.substr(prefix.size());
  if (path.empty())
    throw Error(Failure::usage, mount_object(e.mountpoint()), "it was outside of the tree at the dump",
                "say where it is with --external 'mnt[" + e.ext_key() + "]:PATH'");
  return path;
}

}  // namespace

OwnRoot::OwnRoot(const ImageDir& images, uint64_t id, const Places& places)
    : images_(images), entries_(images.all<pb::mnt_entry>(Img::mountpoints, id)), mounts_(entries_.size()) {
  for (const auto& e : entries_) placed_.push_back(placed(e));
  order_ = attach_order(placed_);
  pb::nsr_mnt_entry ext;
  if (images.has(Img::mnt_ext, id)) ext = images.one<pb::nsr_mnt_entry>(Img::mnt_ext, id);
  for (const auto& own : ext.own())
    if (own.has_bind()) host_paths_[own.mnt_id()] = own.bind();
  take_root(places);
  for (size_t i = 0; i < entries_.size(); i++) take(i, places);
}

std::string OwnRoot::object(size_t i) const { return mount_object(entries_[i].mountpoint()); }

void OwnRoot::take_root(const Places& places) {
  const pb::mnt_entry& e = entries_[order_[0].mount];
  auto known = host_paths_.find(e.mnt_id());
  std::string path = !places.root.empty() ? places.root : known != host_paths_.end() ? known->second : "";
  if (path.empty() && e.fstype() == pb::TMPFS) return;  // made anew
  if (path.empty())
    throw Error(Failure::usage, "root directory of the tree", "it is not known where it is here",
                "name it with --root");
  Instance root{clone_mount(AT_FDCWD, path), e.root()};
  set_propagation_of(root.mount.get(), MS_PRIVATE, object(order_[0].mount));
  instances_.emplace(e.root_dev(), std::move(root));
}

/// A part of a file system of which there is, or will be, an instance.
bool OwnRoot::is_part(size_t i) const {
  const pb::mnt_entry& e = entries_[i];
  if (auto at = instances_.find(e.root_dev()); at != instances_.end())
    return path_below(at->second.root, e.root()).has_value();
  return false;
}

void OwnRoot::take(size_t i, const Places& places) {
  const pb::mnt_entry& e = entries_[i];
  bool key = e.has_ext_key() && !e.ext_key().empty();
  std::string path;
  if (key && e.ext_key() != kFoundMount) {
    path = given_path(places.external, e);
  } else if (is_part(i)) {
    return;
  } else if (key) {
    path = e.source();
  } else if (auto known = host_paths_.find(e.mnt_id()); known != host_paths_.end()) {
    path = known->second;
  }
  if (path.empty()) return;
  mounts_[i] = clone_mount(AT_FDCWD, path);
  set_propagation_of(mounts_[i].get(), has_outer_master(placed_, placed_[i]) ? MS_SLAVE : MS_PRIVATE, object(i));
}

void OwnRoot::build(const MountMakers& makers) {
  set_propagation(Propagation::private_);
  make_instances(makers);
  make_parts();
  switch_root(mounts_[order_[0].mount].get());
  attach_all();
  share();
  log.info("%zu mounts of the tree are made", entries_.size());
}

/// New file systems, and the root's, lie on the old root for a while: parts are only taken of what is mounted.
void OwnRoot::make_instances(const MountMakers& makers) {
  for (size_t i = 0; i < entries_.size(); i++) {
    const pb::mnt_entry& e = entries_[i];
    if (mounts_[i] || instances_.count(e.root_dev()) || e.fstype() == pb::OVERLAYFS) continue;
    std::string type = type_of(e);
    if (type.empty()) throw Error(Failure::image, object(i), "its type is unknown");
    Instance made{new_mount({type, e.source(), e.options(), makers.context}, makers.callers), "/"};
    load_tmpfs(images_, e, made.mount.get(), makers);
    if (e.sb_flags() & MS_RDONLY) make_read_only(made.mount.get(), object(i));
    instances_.emplace(e.root_dev(), std::move(made));
  }
  for (auto& [device, instance] : instances_)
    if (::syscall(SYS_move_mount, instance.mount.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
      throw_errno(Failure::environment, "mounts of the tree", "the first of a file system cannot be mounted", errno);
}

void OwnRoot::make_parts() {
  for (size_t i = 0; i < entries_.size(); i++) {
    const pb::mnt_entry& e = entries_[i];
    if (mounts_[i] || e.fstype() == pb::OVERLAYFS) continue;
    const Instance& instance = instances_.at(e.root_dev());
    auto path = path_below(instance.root, e.root());
    if (!path) throw Error(Failure::image, object(i), "it is no part of the file system that it should be of");
    mounts_[i] = clone_mount(instance.mount.get(), *path);
  }
  for (size_t i = 0; i < instances_.size(); i++)
    if (::umount2("/", MNT_DETACH))
      throw_errno(Failure::environment, "mounts of the tree", "the first of a file system cannot be unmounted", errno);
}

/// The directories of an overlay are looked for in the tree, so it and what lies on it come last.
void OwnRoot::attach_all() {
  std::vector<bool> late(entries_.size());
  for (const AttachStep& s : order_) late[s.mount] = late[s.parent] || entries_[s.mount].fstype() == pb::OVERLAYFS;
  for (bool when : {false, true})
    for (const AttachStep& s : order_)
      if (late[s.mount] == when) attach(s);
}

void OwnRoot::attach(const AttachStep& s) {
  const pb::mnt_entry& e = entries_[s.mount];
  if (!mounts_[s.mount]) {
    mounts_[s.mount] = mount_overlay(e);
    return;
  }
  set_mount_flags(mounts_[s.mount].get(), e.flags(), 0, object(s.mount));
  if (s.parent != s.mount) attach_mount(mounts_[s.mount].get(), mounts_[s.parent].get(), s.below, object(s.mount));
}

void OwnRoot::share() {
  for (const SharingStep& s : sharing_steps(placed_)) {
    int mount = mounts_[s.mount].get();
    switch (s.kind) {
      case SharingStep::Kind::share:
        set_propagation_of(mount, MS_SHARED, object(s.mount));
        break;
      case SharingStep::Kind::join:
        set_propagation_of(mount, MS_PRIVATE, object(s.mount));
        join_sharing(mounts_[s.other].get(), mount, object(s.mount));
        break;
      case SharingStep::Kind::slave:
        set_propagation_of(mount, MS_SLAVE, object(s.mount));
        break;
    }
  }
  for (size_t i = 0; i < entries_.size(); i++)
    if (entries_[i].flags() & MS_UNBINDABLE) set_propagation_of(mounts_[i].get(), MS_UNBINDABLE, object(i));
}

}  // namespace nsr
