// Why a thread did not stop.
#pragma once

#include "engine/base/error.h"
#include "engine/base/ids.h"

namespace nsr {

/// The Error(timeout) for a thread of process pid that was told to stop and did not: it names the child that a vfork(2)
/// waits for, else the state that the thread is in.
Error unstoppable(HostPid pid, HostPid tid);

}  // namespace nsr
