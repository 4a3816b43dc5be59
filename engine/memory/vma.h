// VMAs: live to message.
#pragma once

#include <vector>

#include "engine/descriptors/kind.h"
#include "engine/memory/page_range.h"
#include "engine/procfs/smaps.h"
#include "mm.pb.h"
#include "nsr-mm.pb.h"

namespace nsr {

/// Bits of vma_entry.status (docs/images.md).
enum VmaStatus : uint32_t {
  kVmaRegular = 1 << 0,
  kVmaStack = 1 << 1,
  kVmaVsyscall = 1 << 2,
  kVmaVdso = 1 << 3,
  kVmaHeap = 1 << 5,
  kVmaFilePrivate = 1 << 6,
  kVmaFileShared = 1 << 7,
  kVmaAnonShared = 1 << 8,
  kVmaAnonPrivate = 1 << 9,
  kVmaSysvIpc = 1 << 10,
  kVmaSocket = 1 << 11,
  kVmaVvar = 1 << 12,
  kVmaAioRing = 1 << 13,
  kVmaMemfd = 1 << 14,
  kVmaShadowStack = 1 << 15,
  kVmaGuard = 1 << 16,
  kVmaUprobes = 1 << 17,
};

/// An address space as the images have it.
struct VmaList {
  std::vector<pb::vma_entry> entries;
  pb::nsr_mm_entry ext;
  std::vector<pb::aio_ring_entry> aios;
};

/// Whether the task's own pages of this mapping go to the page store (private memory but the kernel's own pages).
bool has_own_pages(const pb::vma_entry& vma);

/// Makes the entries from smaps of a frozen task; files get their ids through ctx. skip: the engine's own areas in
/// the task, left out. Throws Error(unsupported) naming pid, address range and what it is when a VMA cannot be kept.
VmaList collect_vmas(HostPid pid, NsPid nspid, const std::vector<procfs::SmapsEntry>& smaps, const PageRanges& skip,
                     DumpContext& ctx);

}  // namespace nsr
