// The dump command.
#pragma once

#include "engine/dump/options.h"

namespace nsr {

/// Freezes the tree of options.root_pid, writes its images and statistics, and leaves the tasks in options.final_state.
/// The current directory is the work directory and the log is open. Throws Error; then every task runs on as before
/// and no complete image directory is left.
void run_dump(const DumpOptions& options);

}  // namespace nsr
