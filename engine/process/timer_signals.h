// Signals of POSIX timers that are pending: each belongs to its timer, which stands still until the signal is taken and
// then goes on. How many expiries were missed meanwhile (overrun) the kernel tells only with the signal.
#pragma once

#include <signal.h>

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "core.pb.h"
#include "engine/base/ids.h"
#include "engine/procfs/timers.h"

namespace nsr {

class BorrowedTask;
struct FrozenTask;

/// Overruns of pending timer signals, by timer id; kStaleSignal for one whose timer was set again, deleted or stopped
/// after it was queued: the kernel drops it instead of delivering it.
using PendingOverruns = std::map<int32_t, int>;
inline constexpr int kStaleSignal = -1;

/// Bytes of arena that read_overruns needs for so many pending timer signals.
size_t overruns_arena_size(size_t signals);
size_t pending_timer_signals(const FrozenTask& task);
/// Takes each pending timer signal of the borrowed task and queues it again in one program, which runs to its end also
/// without the engine; then sets the timer to the same expiries, by which it gets a signal of its own as before.
/// Leaves out signals whose number is pending more than once, and a task at its limit of queued signals.
PendingOverruns read_overruns(BorrowedTask& borrowed, const FrozenTask& task,
                              const std::vector<procfs::PosixTimer>& timers);
/// Writes the overruns into queued signals and drops those that are stale.
void note_overruns(const PendingOverruns& overruns, std::vector<siginfo_t>& queued);

/// A timer of the images that is started when the tree is complete: with its signal pending, or with the overrun of
/// its last signal (timer_getoverrun(2)).
struct SignalledTimer {
  pb::posix_timer_entry timer;
  uint64_t overrun = 0;  ///< expiries that its signal counts besides the first
  bool pending = false;
  siginfo_t signal{};  ///< when it is pending
};
/// Takes such timers out of the messages of a process (leader first): their signals leave the queues, their times the
/// timers. What is left is queued and started as it stands.
std::vector<SignalledTimer> take_signalled_timers(const std::vector<pb::core_entry*>& threads);

/// Runs a system call in a restored thread, tid 0: in the one that works for the process.
using CallInThread = std::function<long(NsPid tid, long nr, std::initializer_list<uint64_t> args)>;
inline constexpr size_t kSignalledTimerRoom = 256;
/// Starts one of process `own`. The signal is the timer's own again, but where its clock is too young to have missed so
/// many expiries (CPU clocks): there it is queued by itself, and timer_getoverrun(2) forgets. room: kSignalledTimerRoom
/// bytes that the task can write, `local` in the engine. All its signals are blocked. Throws Error(environment).
void start_signalled_timer(const SignalledTimer& timer, NsPid own, const std::string& object, const CallInThread& call,
                           RemoteAddr room, void* local);

}  // namespace nsr
