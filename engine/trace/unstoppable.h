// Why a thread did not stop.
#pragma once

#include <optional>

#include "engine/base/error.h"
#include "engine/base/ids.h"
#include "engine/procfs/reader.h"

namespace nsr {

/// The child in whose favour a thread sleeps in vfork(2): it still has the parent's memory. dir: of the thread's
/// process.
std::optional<HostPid> vfork_child(const procfs::ProcDir& dir, HostPid tid);

/// The Error(timeout) for a thread of process pid that was told to stop and did not: it names the child that a vfork(2)
/// waits for, else the state that the thread is in.
Error unstoppable(HostPid pid, HostPid tid);

}  // namespace nsr
