// The restore command.
#pragma once

#include <memory>
#include <vector>

#include "engine/restore/options.h"

namespace nsr {

class Kind;

/// Rebuilds the tree of options.images_dir. The current directory is the work directory and the log is open.
/// Returns the exit status of the command: 0, or with exec_cmd the status of that command.
/// Throws Error; then nothing that the restore created is left.
int run_restore(const RestoreOptions& options, std::vector<std::unique_ptr<Kind>> kinds);

}  // namespace nsr
