// POSIX timers whose signal is pending or counted missed expiries (overrun): how a restore starts them. A pending
// signal belongs to its timer, which stands still until the signal is taken and then goes on.
#pragma once

#include <signal.h>

#include <ctime>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "core.pb.h"
#include "engine/base/ids.h"

namespace nsr {

int64_t in_ns(const timespec& t);
/// Absolute times by which a timer expires at once, has missed `overrun` expiries and next expires after `left` (all in
/// nanoseconds). Nothing when its clock is too young for that (a CPU clock of a restored task).
std::optional<itimerspec> expired_at(int64_t now, int64_t left, int64_t interval, uint64_t overrun);
/// Waits until that signal of a timer is in the queue of a stopped thread or its process: one that is set to the past
/// sends it from the next timer interrupt, which may come a moment later. False when there is none after a second.
bool await_timer_signal(HostPid tid, bool shared, int signo, int32_t id);

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
/// bytes that the task can write, `local` in the engine. taker: the thread that is told, for the process any. All its
/// signals are blocked. Throws Error(environment).
void start_signalled_timer(const SignalledTimer& timer, NsPid own, HostPid taker, const std::string& object,
                           const CallInThread& call, RemoteAddr room, void* local);

}  // namespace nsr
