// What F_SETOWN, F_SETSIG and O_ASYNC need in a task that holds the file.
#pragma once

#include "engine/descriptors/kind.h"

namespace nsr {

/// Whether there is anything to set.
bool owner_needs_task(const pb::fown_entry& owner, uint32_t flags);
/// Adds the records that set it through stage.fd.
void emit_owner(const pb::fown_entry& owner, uint32_t flags, TaskStage& stage);

}  // namespace nsr
