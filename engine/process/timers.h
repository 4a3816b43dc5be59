// Interval timers and POSIX timers of a process.
#pragma once

#include <ctime>
#include <vector>

#include "core.pb.h"
#include "engine/process/thread_clocks.h"
#include "engine/procfs/timers.h"
#include "engine/trace/pid_map.h"
#include "engine/trace/program.h"

namespace nsr {

/// Reads getitimer(2) of all three and timer_gettime(2)/timer_getoverrun(2) of each POSIX timer (from
/// /proc/PID/timers).
class TimerReader {
 public:
  TimerReader(std::vector<procfs::PosixTimer> posix) : posix_(std::move(posix)) {}
  void add(Program& program, Arena& arena);
  /// process: whose timers they are.
  void collect(const Program& program, const Arena& arena, const PidMap& pids, NsPid process,
               const ClockThreads& clock_threads, pb::task_timers_entry& out) const;

 private:
  std::vector<procfs::PosixTimer> posix_;
  RemoteAddr itimers_{}, values_{};
  std::vector<Program::Index> overruns_;
};

/// Highest timer id that is reached by counting up.
inline constexpr uint32_t kMostTimerIds = 16384;
/// Whether this kernel gives a timer the id that is asked for (PR_TIMER_CREATE_RESTORE_IDS, Linux 6.15).
bool can_choose_timer_ids();
inline constexpr int kPrTimerCreateRestoreIds = 77;  ///< prctl(2), Linux 6.15: 0 off, 1 on, 2 which of them
inline constexpr unsigned long kRestoreIdsGet = 2;
/// Creates the POSIX timers with their ids; exact_ids as can_choose_timer_ids(), before that by creating and deleting
/// timers until the kernel's counter is there: two calls for each id up to kMostTimerIds, beyond that
/// Error(environment). Needs all threads to exist.
void emit_posix_timers(const pb::task_timers_entry& timers, bool exact_ids, Program& program, Arena& arena);
/// Starts all timers: the last thing before the task runs.
void emit_start_timers(const pb::task_timers_entry& timers, Program& program, Arena& arena);

}  // namespace nsr
