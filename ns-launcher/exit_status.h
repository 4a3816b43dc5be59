// Passing the end of another process on as our own.
#pragma once

#include <string>

namespace nsr::launcher {

/// Dies by the signal, leaving no core file: the one that matters is the tree's. Does not return; where the signal does
/// not kill, exits with 128 + signal.
[[noreturn]] void die_by_signal(int signal);

/// "SIGTERM", or "signal 40" for those without a name.
std::string signal_name(int signal);

}  // namespace nsr::launcher
