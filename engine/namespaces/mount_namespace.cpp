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
  for (const auto& own : ext.own()) {
    auto at = entries.find(own.mnt_id());
    if (at == entries.end())
      throw Error(Failure::image, image_name(Img::mountpoints, id), format("mount %u is missing", own.mnt_id()));
    made.emplace_back(&at->second, make(images, at->second, own, makers));
  }
  for (const std::string& mountpoint : ext.removed())
    if (::umount2(mountpoint.c_str(), MNT_DETACH) && errno != EINVAL && errno != ENOENT)
      log.warn("%s stays mounted: it cannot be unmounted", mountpoint.c_str());
  for (const auto& [e, mount] : made) {
    std::string object = mount_object(e->mountpoint());
    set_mount_flags(mount.get(), e->flags(), 0, object);
    UniqueFd place(::open(e->mountpoint().c_str(), O_PATH | O_CLOEXEC));
    if (!place) throw_errno(Failure::environment, object, "its mount point is not there", errno);
    attach_mount(mount.get(), place.get(), "", object);
  }
}

}  // namespace nsr
