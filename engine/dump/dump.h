// The dump command.
#pragma once

#include <memory>
#include <vector>

#include "engine/base/error.h"
#include "engine/dump/options.h"

namespace nsr {

class Kind;

/// Freezes the tree of options.root_pid, writes its images and statistics, and leaves the tasks in options.final_state.
/// The current directory is the work directory and the log is open. Throws Error; then every task runs on as before
/// and no complete image directory is left.
/// kinds: all kinds of open files in the order in which they are asked (engine/registry.cpp).
void run_dump(const DumpOptions& options, std::vector<std::unique_ptr<Kind>> kinds);

/// Freezes the tree and looks at everything that a dump with these options would save, but for pages of memory, and
/// lets it run on. Returns what such a dump would refuse; throws Error when it can not even look. What it writes below
/// options.images_dir is of no use afterwards.
std::vector<Error> survey_dump(const DumpOptions& options, std::vector<std::unique_ptr<Kind>> kinds);

}  // namespace nsr
