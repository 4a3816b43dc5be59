// Which pages of a task hold data of its own.
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"
#include "engine/memory/page_range.h"

namespace nsr {

/// What a scan found; each list ascending, joined, disjoint.
struct ScannedPages {
  /// Present or swapped, not the zero page, not a page of a file (copied pages of a private file mapping count).
  std::vector<PageRange> own;
  /// The part of own that is mapped by huge page table entries (transparent or hugetlb).
  std::vector<PageRange> huge;
  /// Guard regions (Linux 6.13).
  std::vector<PageRange> guards;
};

/// Scans page tables through /proc/PID/pagemap: PAGEMAP_SCAN (Linux 6.7), before that the pagemap words (no huge
/// pages).
class PageScanner {
 public:
  explicit PageScanner(HostPid pid);
  /// Looks at all of [start, end), mapped or not: one walk is far cheaper than one for each VMA.
  ScannedPages scan(uint64_t start, uint64_t end);
  /// The pagemap words of a range, one a page (Documentation/admin-guide/mm/pagemap.rst).
  std::vector<uint64_t> words(PageRange range) const;

 private:
  bool scan_ioctl(uint64_t start, uint64_t end, ScannedPages& out);
  void scan_words(const std::vector<PageRange>& mapped, ScannedPages& out) const;

  HostPid pid_;
  UniqueFd fd_;
};

/// Bits of a pagemap word.
inline constexpr uint64_t kWordPresent = 1ull << 63, kWordSwapped = 1ull << 62, kWordFile = 1ull << 61,
                          kWordGuard = 1ull << 58, kWordExclusive = 1ull << 56, kWordPfn = (1ull << 55) - 1;

}  // namespace nsr
