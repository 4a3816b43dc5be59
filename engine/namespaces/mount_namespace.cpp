#include "engine/namespaces/mount_namespace.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/namespaces/mount_images.h"
#include "nsr-mnt.pb.h"

namespace nsr {
namespace {

const Logger log("mounts");

/// A mount of the tree's own, attached nowhere yet.
UniqueFd make(const ImageDir& images, const pb::mnt_entry& e, const pb::nsr_own_mount& own, const MountMakers& makers) {
  if (own.has_bind()) {
    UniqueFd copy = clone_mount(AT_FDCWD, own.bind());
    set_propagation_of(copy.get(), MS_PRIVATE, mount_object(e.mountpoint()));
    return copy;
  }
  const FileSystem* fs = file_system(e.fstype());
  std::string type = fs ? fs->name : e.fsname();
  if (type.empty()) throw Error(Failure::image, mount_object(e.mountpoint()), "its type is unknown");
  UniqueFd made = new_mount({type, e.source(), e.options(), makers.context}, makers.callers);
  load_tmpfs(images, e, made.get(), makers);
  return made;
}

/// What can only be made when others are in place: an overlay of their directories, a part of a file system of the
/// tree's own, of which another mount is `whole`.
UniqueFd make_late(const pb::mnt_entry& e, const pb::mnt_entry* whole, int whole_fd) {
  if (!whole) return mount_overlay(e);
  auto path = path_below(whole->root(), e.root());
  if (!path)
    throw Error(Failure::image, mount_object(e.mountpoint()),
                "it is no part of what is mounted on " + whole->mountpoint());
  UniqueFd part = clone_mount(whole_fd, *path);
  set_propagation_of(part.get(), MS_PRIVATE, mount_object(e.mountpoint()));
  return part;
}

void put_in_place(const pb::mnt_entry& e, const UniqueFd& mount) {
  std::string object = mount_object(e.mountpoint());
  set_mount_flags(mount.get(), e.flags(), 0, object);
  UniqueFd place(::open(e.mountpoint().c_str(), O_PATH | O_CLOEXEC));
  if (!place) throw_errno(Failure::environment, object, "its mount point is not there", errno);
  attach_mount(mount.get(), place.get(), "", object);
}

}  // namespace

bool has_own_root(const ImageDir& images, uint64_t id) {
  if (!images.has(Img::mountpoints, id)) return false;
  // the peer knows no other kind
  return !images.has(Img::mnt_ext, id) || images.one<pb::nsr_mnt_entry>(Img::mnt_ext, id).own_root();
}

void fill_mount_namespace(const ImageDir& images, uint64_t id, const MountMakers& makers) {
  auto ext = images.one<pb::nsr_mnt_entry>(Img::mnt_ext, id);
  std::map<uint32_t, pb::mnt_entry> entries;
  for (const auto& e : images.all<pb::mnt_entry>(Img::mountpoints, id)) entries[e.mnt_id()] = e;
  // What is mounted over /proc takes the engine's own away: all is made before anything is put in its place.
  std::vector<std::pair<const pb::mnt_entry*, UniqueFd>> made;
  std::map<uint32_t, size_t> wholes;  // by device: which of them
  for (const auto& own : ext.own()) {
    auto at = entries.find(own.mnt_id());
    if (at == entries.end())
      throw Error(Failure::image, image_name(Img::mountpoints, id), format("mount %u is missing", own.mnt_id()));
    const pb::mnt_entry& e = at->second;
    bool late = e.fstype() == pb::OVERLAYFS || (!own.has_bind() && wholes.count(e.root_dev()));
    if (!late && !own.has_bind()) wholes[e.root_dev()] = made.size();
    made.emplace_back(&e, late ? UniqueFd() : make(images, e, own, makers));
  }
  for (const std::string& mountpoint : ext.removed())
    if (::umount2(mountpoint.c_str(), MNT_DETACH) && errno != EINVAL && errno != ENOENT)
      log.warn("%s stays mounted: it cannot be unmounted", mountpoint.c_str());
  for (auto& [e, mount] : made) {
    if (mount) {
      put_in_place(*e, mount);
    } else {
      auto whole = wholes.find(e->root_dev());
      bool part = whole != wholes.end();
      mount = make_late(*e, part ? made[whole->second].first : nullptr, part ? made[whole->second].second.get() : -1);
      if (part) put_in_place(*e, mount);
    }
  }
}

}  // namespace nsr
