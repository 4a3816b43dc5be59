// Mount namespaces (mount_namespaces(7)) of two kinds: a copy of the dumper's, as unshare(1) -m makes it, of which is
// kept what was mounted and unmounted there since; and one with a root directory of its own, as containers have it, of
// which all is kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/id_map.h"
#include "engine/base/ids.h"
#include "engine/images/image_dir.h"
#include "engine/namespaces/mount_images.h"
#include "mountns/mount_calls.h"

namespace nsr {

/// What the user says of mounts.
struct MountPolicy {
  std::vector<std::string> external;   ///< --external, of which mnt[MOUNTPOINT]:KEY counts here
  std::vector<std::string> skip;       ///< --skip-mnt: left out, with all that is mounted below
  std::vector<std::string> enable_fs;  ///< --enable-fs: types that are mounted anew without their contents; "all"
  const UserMap& users;                ///< of the tree
};

/// Writes mountpoints-<id>, nsr-mnt-<id> and the contents of the tree's own tmpfs mounts (by tar(1), only run where
/// there is one). Throws Error(unsupported) naming a mount that cannot be kept.
void dump_mount_namespace(ImageDir& images, uint64_t id, HostPid root_task, const MountPolicy& policy);

/// Whether the namespace has a root directory of its own, according to the images.
bool has_own_root(const ImageDir& images, uint64_t id);

/// Makes the calling process's (fresh) copy of the restorer's mounts as the images say.
void fill_mount_namespace(const ImageDir& images, uint64_t id, const MountMakers& makers);

}  // namespace nsr
