// Whose CPU time a POSIX timer counts that was made with CLOCK_THREAD_CPUTIME_ID: of the thread that made it, which the
// kernel does not tell.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/base/ids.h"
#include "engine/procfs/timers.h"

namespace nsr {

class BorrowedTask;
struct FrozenTask;

/// CLOCK_THREAD_CPUTIME_ID or its kind as the kernel keeps it (timer_create(2)).
bool is_makers_clock(int32_t clock_id);
/// Bytes of arena that find_clock_threads needs for these timers in so many threads; 0 when there is nothing to find.
size_t clock_threads_arena_size(size_t threads, const std::vector<procfs::PosixTimer>& timers);
using ClockThreads = std::map<int32_t, NsPid>;  ///< by timer id
/// The thread whose time passes while it looks at the timer twice. Each thread in turn looks, the others
/// stand still. Timers that are not armed are, far ahead, for the time of the look. Not found: a timer of a thread that
/// has ended, and one that has expired and waits for its signal to be taken.
ClockThreads find_clock_threads(BorrowedTask& borrowed, const FrozenTask& task,
                                const std::vector<procfs::PosixTimer>& timers);

}  // namespace nsr
