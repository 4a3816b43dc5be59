// What the three kinds of System V IPC object (sysvipc(7)) have in common.
#pragma once

#include <sys/ipc.h>

#include <functional>
#include <string>

#include "engine/base/id_map.h"
#include "ipc-desc.pb.h"

namespace nsr {

/// Id, key, owner, creator and mode of an object.
void describe_ipc(const ipc_perm& perm, int id, const UserMap& users, pb::ipc_desc_entry& desc);

/// How an object of one kind is made and removed.
struct IpcKind {
  const char* name;  ///< "shm", "msg" or "sem", as in /proc/sys/kernel/shm_next_id
  std::function<int(key_t key, int flags)> get;
  std::function<void(int id)> remove;
};
/// Makes the object with its id, key, mode and creator in the calling thread's IPC namespace; owner and mode bits that
/// its creation cannot give are set by the caller (own_ipc). object: for errors. Throws Error(environment); nothing is
/// left then. Needs CONFIG_CHECKPOINT_RESTORE.
void make_ipc(const pb::ipc_desc_entry& desc, const IpcKind& kind, const UserMap& users, const std::string& object);

/// Puts owner and mode where IPC_SET takes them.
void own_ipc(const pb::ipc_desc_entry& desc, const UserMap& users, ipc_perm& perm);

}  // namespace nsr
