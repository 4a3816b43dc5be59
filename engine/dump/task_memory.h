// The address space of a live task: mm-<pid>.img and its extension.
#pragma once

#include "engine/dump/dump_files.h"
#include "engine/dump/live_task.h"
#include "engine/memory/smaps_ahead.h"
#include "engine/memory/sysv_segments.h"

namespace nsr {

/// Fills t.mm and adds to t.mm_ext; mapped files get their ids, attached SysV segments are noted.
/// areas: what the engine has mapped there for all tasks of this address space. Throws Error(unsupported) naming the
/// mapping that cannot be kept.
void collect_task_memory(LiveTask& t, const PageRanges& areas, SmapsAhead& smaps, DumpFiles& files,
                         SysvSegments& segments);

}  // namespace nsr
