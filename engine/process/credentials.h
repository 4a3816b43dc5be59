// Credentials of one thread (credentials(7), capabilities(7)).
#pragma once

#include "creds.pb.h"
#include "engine/base/id_map.h"
#include "engine/procfs/status.h"
#include "engine/trace/program.h"

namespace nsr {

/// From /proc/PID/task/TID/status and prctl(PR_GET_SECUREBITS). Groups that the user namespace does not know are left
/// out. Throws Error(unsupported) naming the object when it does not know a user or group id.
void to_image(const procfs::Status& status, uint32_t securebits, const UserMap& users, const std::string& object,
              pb::creds_entry& out);

/// Takes on these credentials. The thread must still have CAP_SETUID, CAP_SETGID and CAP_SETPCAP. Afterwards it may
/// have nothing: this is (but for what needs no right) the last thing of a thread's program. no_new_privs is set too.
/// groups_fixed: it has its supplementary groups, and could not change them.
void emit_credentials(const pb::creds_entry& creds, bool groups_fixed, Program& program, Arena& arena);
/// Bytes of arena that they need at most.
size_t credentials_arena_size(const pb::creds_entry& creds);

/// Whether the engine's own are just these: a thread whose makers have not changed theirs is born with them.
bool are_own(const pb::creds_entry& creds);

}  // namespace nsr
