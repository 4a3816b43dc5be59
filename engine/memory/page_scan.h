// Which pages of a task hold data of its own.
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"
#include "engine/memory/vma.h"

namespace nsr {

/// Scans page tables through /proc/PID/pagemap: PAGEMAP_SCAN (Linux 6.7), before that the pagemap words.
class PageScanner {
 public:
  explicit PageScanner(HostPid pid);
  /// Appends the ranges inside [start, end) whose pages are present or swapped, not the zero page and not a page of a
  /// file (copied pages of a private file mapping count). Ascending, joined.
  void own_pages(uint64_t start, uint64_t end, std::vector<PageRange>& out);
  uint64_t scanned_pages() const { return scanned_; }

 private:
  bool scan(uint64_t start, uint64_t end, std::vector<PageRange>& out);
  void read_words(uint64_t start, uint64_t end, std::vector<PageRange>& out);

  HostPid pid_;
  UniqueFd fd_;
  uint64_t scanned_ = 0;
  bool has_scan_ = true;
};

}  // namespace nsr
