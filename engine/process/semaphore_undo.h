// What the end of a task would give back to System V semaphores (SEM_UNDO, semop(2)). The kernel shows it to nobody.
#pragma once

#include "engine/base/ids.h"

namespace nsr {

/// Warns when a frozen task seems to have such adjustments: they take effect when a dump ends the task, and the
/// restored one has none. has_threads: every process with threads has room for adjustments, used or not; then one of
/// the semaphores must have been changed last by this task. To be called by the engine's main thread.
void warn_of_undo(HostPid pid, bool has_threads);

}  // namespace nsr
