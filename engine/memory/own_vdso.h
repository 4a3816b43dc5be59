// The vDSO that every process of this kernel is born with.
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/procfs/maps.h"
#include "mm.pb.h"

namespace nsr {

/// The vDSO and its data pages as they lie in the engine, whose clones start with them there.
const std::vector<procfs::MapsEntry>& own_vdso();

/// Address of a `syscall` instruction in the vDSO of a task restored from mm (same kernel). 0 when it has none.
RemoteAddr syscall_insn_of(const pb::mm_entry& mm);

}  // namespace nsr
