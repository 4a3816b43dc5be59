// VMAs: live to message.
#pragma once

#include <vector>

#include "engine/descriptors/kind.h"
#include "engine/memory/page_range.h"
#include "engine/memory/vma_status.h"
#include "engine/procfs/smaps.h"
#include "mm.pb.h"
#include "nsr-mm.pb.h"

namespace nsr {

/// An address space as the images have it.
struct VmaList {
  std::vector<pb::vma_entry> entries;
  pb::nsr_mm_entry ext;
  std::vector<pb::aio_ring_entry> aios;
};

/// Whether the task's own pages of this mapping go to the page store (private memory but the kernel's own pages).
bool has_own_pages(const pb::vma_entry& vma);

/// Makes the entries from smaps of a frozen task, whose asynchronous I/O has ended; files get their ids through ctx.
/// skip: the engine's own areas in the task, left out. Throws Error(unsupported) naming pid, address range and what it
/// is when a VMA cannot be kept.
VmaList collect_vmas(HostPid pid, NsPid nspid, const std::vector<procfs::SmapsEntry>& smaps, const PageRanges& skip,
                     DumpContext& ctx);

}  // namespace nsr
