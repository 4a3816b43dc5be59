// POSIX message queues (mq_overview(7)) with what is in them. The kernel shows a message to nobody but who takes it
// out, so they are taken out and put back, by a process that lives on when the engine is killed.
#pragma once

#include <string>

#include "engine/base/unique_fd.h"
#include "nsr-files.pb.h"

namespace nsr {

/// Attributes, owner, mode and messages of the queue that fd (of any access mode) refers to; its name is set by the
/// caller. Nobody else may use the queue meanwhile. Throws Error(unsupported) when it cannot be looked into: somebody
/// waits for a notification of a queue that is not empty, which putting messages back would set off.
pb::nsr_mqueue_entry look_into_mqueue(int fd, const std::string& object);

/// Who waits for a notification of the queue, as the caller's pid namespace sees him; 0 when nobody does.
int mqueue_listener(int fd);

/// Makes the queue under this name in the calling thread's IPC namespace and fills it; a descriptor for reading and
/// writing. Throws Error(environment) naming the cause, with no queue left.
UniqueFd make_mqueue(const pb::nsr_mqueue_entry& entry, const std::string& name);

}  // namespace nsr
