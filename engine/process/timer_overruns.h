// How many expiries were missed (overrun) while the signal of a POSIX timer was pending: the kernel tells it only with
// the signal.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/procfs/timers.h"

namespace nsr {

class BorrowedTask;
struct FrozenTask;

/// Of the pending signals of a timer, of two (timer_signals.h) together.
struct PendingOverrun {
  int overrun = 0;
  size_t place = 0;  ///< among those of the same number
};
using PendingOverruns = std::map<int32_t, PendingOverrun>;  ///< by timer id

/// Bytes of arena that read_overruns needs for so many pending timer signals.
size_t overruns_arena_size(size_t signals);
size_t pending_timer_signals(const FrozenTask& task);
/// Takes each pending timer signal of the borrowed task and queues it again in one program, which runs to its end also
/// without the engine; then sets the timer to the same expiries, by which it gets a signal of its own as before.
/// Leaves out numbers that are pending for other reasons too, those below the real-time ones that are pending more than
/// once, and a task at its limit of queued signals.
PendingOverruns read_overruns(BorrowedTask& borrowed, const FrozenTask& task,
                              const std::vector<procfs::PosixTimer>& timers);
/// Writes the overruns into the signals of a queue, drops the second of a timer, and gives those of one number the
/// order in which they were read.
void note_overruns(const PendingOverruns& overruns, std::vector<siginfo_t>& queued);

}  // namespace nsr
