// IPC namespaces (ipc_namespaces(7)): limits, System V semaphores and message queues. Shared memory segments are memory
// (engine/memory/sysv_segments.h), POSIX message queues stand in posix_queues.h.
#pragma once

#include <cstdint>

#include "engine/base/id_map.h"
#include "engine/images/image_dir.h"

namespace nsr {

/// Writes the calling thread's namespace to ipcns-var, ipcns-msg and ipcns-sem under this id, messages included;
/// nothing in it changes but the time of the last look. Its users must be frozen. Throws Error(environment) without
/// CONFIG_CHECKPOINT_RESTORE (MSG_COPY).
void dump_ipc_namespace(ImageDir& images, uint64_t id, const UserMap& users);
/// Sets the limits of the calling thread's (fresh) namespace, then makes the objects with their ids, keys and contents.
/// Not restored: times, and who was the last to use an object.
void fill_ipc_namespace(const ImageDir& images, uint64_t id, const UserMap& users);

}  // namespace nsr
