#include "engine/descriptors/ipc_object.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {
namespace {

/// Effective ids of the calling thread while this lives: the kernel notes them as the object's creator. The permitted
/// capabilities stay, as the real uid does, and become effective again with the old uid.
class AsCreator {
 public:
  AsCreator(uid_t uid, gid_t gid) : uid_(::geteuid()), gid_(::getegid()) {
    ::syscall(SYS_setresgid, -1, gid, -1);
    ::syscall(SYS_setresuid, -1, uid, -1);
  }
  AsCreator(const AsCreator&) = delete;
  ~AsCreator() {
    ::syscall(SYS_setresuid, -1, uid_, -1);
    ::syscall(SYS_setresgid, -1, gid_, -1);
  }

 private:
  uid_t uid_;
  gid_t gid_;
};

}  // namespace

void describe_ipc(const ipc_perm& perm, int id, const UserMap& users, pb::ipc_desc_entry& desc) {
  desc.set_key(static_cast<uint32_t>(perm.__key));
  desc.set_uid(users.uids.inner(perm.uid));
  desc.set_gid(users.gids.inner(perm.gid));
  desc.set_cuid(users.uids.inner(perm.cuid));
  desc.set_cgid(users.gids.inner(perm.cgid));
  desc.set_mode(perm.mode);
  desc.set_id(static_cast<uint32_t>(id));
}

void make_ipc(const pb::ipc_desc_entry& desc, const IpcKind& kind, const UserMap& users, const std::string& object) {
  std::string next = format("/proc/sys/kernel/%s_next_id", kind.name);
  if (!write_file(next, std::to_string(desc.id())))
    throw_errno(Failure::environment, object, next + " cannot be written", errno,
                "a kernel with CONFIG_CHECKPOINT_RESTORE is needed");
  int made, error;
  {
    AsCreator creator(users.uids.outer(desc.cuid()), users.gids.outer(desc.cgid()));
    made = kind.get(static_cast<key_t>(desc.key()), IPC_CREAT | IPC_EXCL | static_cast<int>(desc.mode() & 0777));
    error = errno;
  }
  if (made < 0)
    throw_errno(Failure::environment, object, format("making it with key 0x%08x failed", desc.key()), error,
                error == EEXIST ? "another one has this key: remove it (ipcrm)" : "");
  if (made == static_cast<int>(desc.id())) return;
  kind.remove(made);
  throw Error(Failure::environment, object, format("the kernel gave it number %d", made),
              "another one is in its place (ipcs)");
}

void own_ipc(const pb::ipc_desc_entry& desc, const UserMap& users, ipc_perm& perm) {
  if (uint32_t uid = users.uids.outer(desc.uid()); uid != IdMap::kNone) perm.uid = uid;
  if (uint32_t gid = users.gids.outer(desc.gid()); gid != IdMap::kNone) perm.gid = gid;
  perm.mode = static_cast<unsigned short>(desc.mode() & 0777);
}

}  // namespace nsr
