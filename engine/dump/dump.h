// The dump command.
#pragma once

#include <memory>
#include <vector>

#include "engine/dump/options.h"

namespace nsr {

class Kind;

/// Freezes the tree of options.root_pid, writes its images and statistics, and leaves the tasks in options.final_state.
/// The current directory is the work directory and the log is open. Throws Error; then every task runs on as before
/// and no complete image directory is left.
/// kinds: all kinds of open files in the order in which they are asked (engine/registry.cpp).
void run_dump(const DumpOptions& options, std::vector<std::unique_ptr<Kind>> kinds);

}  // namespace nsr
