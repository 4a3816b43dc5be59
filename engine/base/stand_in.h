// The engine's work done by a child, for trees that would not survive the sudden death of the one who traces them.
#pragma once

#include <sys/types.h>

#include <optional>

namespace nsr {

/// Forks. In the child: nothing, and the caller goes on with the work there. In the parent: the exit status, when the
/// child has ended; a child killed by a signal takes the parent with it in the same way. Signals that ask the parent to
/// end are handed on; when the parent is killed, the child gets SIGTERM and undoes what it can
/// (engine/base/interruption.h). The child has a session and a name of its own, so that what kills the engine's group
/// or those of its name misses it. Throws Error(environment).
std::optional<int> leave_to_stand_in();

/// Waits until the stand-in of an engine that was killed has let go of this process; no longer than that takes or than
/// limit_ms (negative: any time).
void await_stand_in_of(pid_t traced, int limit_ms);

}  // namespace nsr
