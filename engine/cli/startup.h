// What happens between parsing the options and the command itself, in this order: capability check, images directory,
// work directory, log.
#pragma once

#include "engine/cli/options.h"

namespace nsr {

/// Throws Error(environment) without CAP_SYS_ADMIN and CAP_CHECKPOINT_RESTORE (capabilities(7)), or when not root and
/// --unprivileged was not given.
void check_privilege(const Options& options);

/// Makes images_dir absolute (it must exist), closes the --close descriptors, checks those of --inherit-fd, changes
/// into the work directory, opens the log there. Throws Error(io) or UsageError.
void prepare_directories(Options& options);

}  // namespace nsr
