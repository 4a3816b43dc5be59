// /proc/PID/smaps (proc_pid_smaps(5)). Costly for the kernel: about 3 us a VMA and a walk of every page table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/procfs/maps.h"

namespace nsr::procfs {

/// The two-letter codes of "VmFlags:". Each is one bit of SmapsEntry::flags; the bit number is ours, not the kernel's
/// VM_*.
enum class VmFlag : uint64_t {
  rd = 1ULL << 0,   ///< readable
  wr = 1ULL << 1,   ///< writable
  ex = 1ULL << 2,   ///< executable
  sh = 1ULL << 3,   ///< shared
  mr = 1ULL << 4,   ///< may read
  mw = 1ULL << 5,   ///< may write
  me = 1ULL << 6,   ///< may execute
  ms = 1ULL << 7,   ///< may share
  gd = 1ULL << 8,   ///< grows down
  pf = 1ULL << 9,   ///< pure PFN range
  dw = 1ULL << 10,  ///< disabled write to the mapped file (before 5.16)
  lo = 1ULL << 11,  ///< locked (mlock)
  io = 1ULL << 12,  ///< memory mapped I/O
  sr = 1ULL << 13,  ///< MADV_SEQUENTIAL
  rr = 1ULL << 14,  ///< MADV_RANDOM
  dc = 1ULL << 15,  ///< MADV_DONTFORK
  de = 1ULL << 16,  ///< no growth by mremap
  ac = 1ULL << 17,  ///< accounted
  nr = 1ULL << 18,  ///< MAP_NORESERVE
  ht = 1ULL << 19,  ///< hugetlb
  sf = 1ULL << 20,  ///< MAP_SYNC
  ar = 1ULL << 21,  ///< architecture's own
  wf = 1ULL << 22,  ///< MADV_WIPEONFORK
  dd = 1ULL << 23,  ///< MADV_DONTDUMP
  sd = 1ULL << 24,  ///< soft-dirty
  mm = 1ULL << 25,  ///< mixed map
  hg = 1ULL << 26,  ///< MADV_HUGEPAGE
  nh = 1ULL << 27,  ///< MADV_NOHUGEPAGE
  mg = 1ULL << 28,  ///< MADV_MERGEABLE
  bt = 1ULL << 29,  ///< arm64: BTI guarded
  mt = 1ULL << 30,  ///< arm64: memory tagging
  um = 1ULL << 31,  ///< userfaultfd: missing
  uw = 1ULL << 32,  ///< userfaultfd: write protect
  ui = 1ULL << 33,  ///< userfaultfd: minor
  ss = 1ULL << 34,  ///< shadow stack
  sl = 1ULL << 35,  ///< sealed (mseal, 6.10)
  lf = 1ULL << 36,  ///< MLOCK_ONFAULT (6.14)
  dp = 1ULL << 37,  ///< MAP_DROPPABLE (6.11)
  gu = 1ULL << 38,  ///< may hold guard regions (6.18)
  nl = 1ULL << 39,  ///< non linear (before 4.0)
  mp = 1ULL << 40,  ///< Intel MPX (before 5.6)
};

/// One VMA with its sizes (bytes) and flags. What this kernel does not print has no value.
struct SmapsEntry {
  MapsEntry vma;
  uint64_t flags = 0;         ///< bits of VmFlag
  std::string unknown_flags;  ///< codes newer than this program, as printed, blank separated
  std::optional<int> protection_key;
  uint64_t size = 0, kernel_page_size = 0, rss = 0, pss = 0, swap = 0, locked = 0;
  uint64_t anonymous = 0, anon_huge_pages = 0, lazy_free = 0, shmem_pmd_mapped = 0, private_hugetlb = 0,
           shared_hugetlb = 0;
  uint64_t private_clean = 0, private_dirty = 0, shared_clean = 0, shared_dirty = 0;

  bool has(VmFlag f) const { return (flags & static_cast<uint64_t>(f)) != 0; }
};

/// Flag of a two-letter code; no value when unknown.
std::optional<VmFlag> vm_flag(std::string_view code);
/// "rd wr mr mw me ac", in the order above.
std::string vm_flags_text(uint64_t flags);

enum class SmapsFields {
  all,
  mapping,  ///< without the sizes but kernel_page_size: a third of the time
};

/// Throws Error(environment) for a text that is not smaps.
std::vector<SmapsEntry> parse_smaps(std::string_view text, SmapsFields fields = SmapsFields::all);

}  // namespace nsr::procfs
