// The cgroup through which a tree is stopped.
#pragma once

#include <memory>

#include "engine/dump/options.h"
#include "engine/trace/cgroup_freezer.h"

namespace nsr {

/// That of --freeze-cgroup, or the one that keeps the root task frozen already: it has to be thawed for a while, since
/// nothing runs in it. Null: neither. Throws Error(environment) for a path that is no such cgroup.
std::unique_ptr<CgroupFreezer> freezer_of(const DumpOptions& options);

}  // namespace nsr
