// How long a thread has slept in a system call with a timeout: the kernel tells nobody what is left of a timeout, but
// it tells when a thread was last taken off its CPU (se.exec_start in /proc/PID/task/TID/sched).
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "engine/base/ids.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/syscall.h"

namespace nsr {

/// One look at a sleeping thread.
struct SleepMark {
  uint64_t off_cpu_at = 0;  ///< nanoseconds of the scheduler's clock of that CPU; 0: unknown (no CONFIG_SCHED_DEBUG)
  int cpu = 0;
  uint64_t looked_at = 0;  ///< CLOCK_MONOTONIC, nanoseconds
  long restarted_nr =
      0;  ///< the call which restart_syscall goes on with, as the kernel function it waits in tells; 0: unknown
};

/// Whether it is a call with a relative, finite timeout.
bool has_timeout(const procfs::CurrentCall& call);

/// Looks at a thread that is not stopped yet. Nothing when it is not in a call with such a timeout. dir: of the
/// process.
std::optional<SleepMark> mark_sleep(const procfs::ProcDir& dir, HostPid tid);

/// Converts marks. Scheduler clocks differ from CPU to CPU (interrupt and stolen time), so each is compared with
/// CLOCK_MONOTONIC when first needed: the engine's thread visits that CPU for a moment.
class SleepClock {
 public:
  /// How long the thread had slept when it was looked at: never more than the truth, 0 when unknown.
  uint64_t slept_ns(const SleepMark& mark);

 private:
  std::optional<int64_t> offset_of(int cpu);
  std::map<int, std::optional<int64_t>> offsets_;
};

}  // namespace nsr
