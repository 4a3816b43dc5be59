// One function a command. Each returns the exit status of the program or throws Error.
#pragma once

#include <optional>

#include "engine/cli/options.h"
#include "engine/dump/options.h"

namespace nsr {

int command_dump(const Options& options);
int command_restore(const Options& options);
/// Removes the network lock that a complete dump left for its restore (ours: unlock -D DIR).
int command_unlock(const Options& options);
/// cpuinfo dump|check. Check: 1 when this CPU lacks something or there is no image.
int command_cpuinfo(const Options& options);
int command_check(const Options& options);
/// Before a tree is frozen: in a child that goes on with the work nothing, or else the exit status of such a child
/// (engine/base/stand_in.h, needs_stand_in).
std::optional<int> stand_in_for(const DumpOptions& dump);

/// Parses, prepares, runs the command, reports a failure once; returns the exit status. args: without argv[0].
int run_engine(const std::vector<std::string>& args);

}  // namespace nsr
