// What a vma_entry of the images says about its mapping.
#pragma once

#include <sys/mman.h>

#include <cstdint>

#include "engine/memory/page_range.h"
#include "mm.pb.h"

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

inline bool is_vdso(const pb::vma_entry& v) { return v.status() & (kVmaVdso | kVmaVvar); }
inline bool is_mapped(const pb::vma_entry& v) { return (v.status() & kVmaRegular) && !is_vdso(v); }
inline bool is_private(const pb::vma_entry& v) { return v.status() & (kVmaAnonPrivate | kVmaFilePrivate); }
inline bool has_file(const pb::vma_entry& v) { return !(v.flags() & MAP_ANONYMOUS); }
inline bool is_hugetlb(const pb::vma_entry& v) { return v.flags() & MAP_HUGETLB; }
inline bool is_advised(const pb::vma_entry& v, int advice) { return v.madv() >> advice & 1; }
inline uint64_t length_of(const pb::vma_entry& v) { return v.end() - v.start(); }
inline PageRange range_of(const pb::vma_entry& v) { return {v.start(), v.end()}; }

}  // namespace nsr
