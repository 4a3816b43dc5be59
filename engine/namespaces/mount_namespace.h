// Mount namespaces (mount_namespaces(7)) that began as a copy of the dumper's, as unshare(1) -m makes them: what was
// mounted and unmounted there since.
#pragma once

#include <cstdint>

#include "engine/base/ids.h"
#include "engine/images/image_dir.h"

namespace nsr {

/// Writes mountpoints-<id>, nsr-mnt-<id> and the contents of the tree's own tmpfs mounts (by tar(1), only run where
/// there is one). Kept as own: proc at /proc, sysfs, mqueue, tmpfs, devpts, cgroup2, and bind mounts of what the dumper
/// has mounted. Throws Error(unsupported) naming a mount of another kind, and for a root directory that is another one.
/// Of a chrooted root task nothing is written, as the kernel does not show what is mounted outside.
void dump_mount_namespace(ImageDir& images, uint64_t id, HostPid root_task);

/// Makes the calling process's (fresh) copy of the restorer's mounts as the images say. own_pidns: all but the tree's
/// /proc, which only its own pid namespace can mount; returns whether that is wanted.
bool fill_mount_namespace(const ImageDir& images, uint64_t id, bool own_pidns);

}  // namespace nsr
