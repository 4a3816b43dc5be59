// How a task comes to its descriptor table.
#pragma once

#include <vector>

#include "engine/restore/restore_files.h"
#include "engine/trace/program.h"

namespace nsr {

/// The task has the engine's descriptors; afterwards exactly those of the table are open, at their numbers.
void emit_table(const std::vector<pb::fdinfo_entry>& table, RestoreFiles& files, Program& p, Arena& arena);

}  // namespace nsr
