// Settings of a process that others make through its /proc files, once it exists.
#pragma once

#include "engine/base/ids.h"
#include "engine/restore/image_set.h"

namespace nsr {

/// oom_score_adj, coredump_filter, autogroup: written only where they differ. What this host does not allow is a
/// warning when the task runs as well without it, else Error(environment). proc_root: the engine's /proc.
void apply_proc_settings(const ImageTask& task, int proc_root, HostPid pid);

}  // namespace nsr
