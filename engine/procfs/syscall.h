// /proc/PID/task/TID/syscall (proc(5)): where a thread sleeps.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nsr::procfs {

struct CurrentCall {
  long nr = -1;  ///< -1: it sleeps outside of a system call, in a page fault or on its way to user space
  std::array<uint64_t, 6> arg{};
  uint64_t sp = 0, ip = 0;  ///< in user space; both 0 for a thread that has no place there
  bool operator==(const CurrentCall&) const = default;
};

/// Nothing for a thread that runs.
std::optional<CurrentCall> parse_current_call(std::string_view text);

}  // namespace nsr::procfs
