// Which pages of a frozen task go to the page store.
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/memory/page_range.h"
#include "engine/memory/page_store.h"
#include "nsr-mm.pb.h"

namespace nsr {

/// Finds them by /proc/PID/maps and a scan; huge ranges and guard regions go to ext. Requests of asynchronous I/O are
/// waited for first. skip: the engine's own areas in the task. Returns how many pages the scan covered.
uint64_t find_own_pages(HostPid pid, const PageRanges& skip, pb::nsr_mm_entry& ext,
                        std::vector<PageStore::TaskRange>& out);

}  // namespace nsr
