// /proc/PID/limits (proc_pid_limits(5)).
#pragma once

#include <sys/resource.h>

#include <array>
#include <string_view>

namespace nsr::procfs {

/// Indexed by RLIMIT_*; "unlimited" is RLIM_INFINITY.
using Limits = std::array<rlimit, 16>;

Limits parse_limits(std::string_view text);

}  // namespace nsr::procfs
