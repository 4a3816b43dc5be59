// /proc/PID/timers (proc_pid_timers(5)): POSIX per-process timers.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace nsr::procfs {

struct PosixTimer {
  enum class Notify { signal, none, thread };
  int32_t id = 0;  ///< timer_t of the kernel
  int32_t signo = 0;
  uint64_t sigval = 0;  ///< sigev_value
  Notify notify = Notify::signal;
  bool thread_id = false;  ///< SIGEV_THREAD_ID: target is a tid, else a pid
  int32_t target = 0;      ///< as the pid namespace of /proc sees it; 0 when gone
  int32_t clock_id = 0;    ///< negative for a CPU clock of a pid, as the kernel encodes it

  /// sigev_notify as timer_create(2) took it.
  int sigev_notify() const;
  bool operator==(const PosixTimer&) const = default;
};

std::vector<PosixTimer> parse_timers(std::string_view text);

}  // namespace nsr::procfs
