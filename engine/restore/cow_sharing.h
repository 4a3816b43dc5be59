// Which pages of a task are those of its parent (copy-on-write after fork).
#pragma once

#include <map>
#include <vector>

#include "engine/memory/page_range.h"
#include "engine/restore/image_set.h"

namespace nsr {

/// From nsr-mm images. Where a dump does not tell (another program made it), pages of private memory that both tasks
/// have at one address are compared.
class CowSharing {
 public:
  struct Counts {
    uint64_t compared = 0, shared = 0;
  };
  /// pages_fd: descriptors of ImageSet::pages_files.
  CowSharing(const ImageSet& set, const std::vector<int>& pages_fd);
  const PageRanges& shared(int task) const { return shared_[static_cast<size_t>(task)]; }
  /// Pages that a task had only while it forked, by the child (index) whose image has them.
  const std::map<int, PageRanges>& fork_pages(int task) const { return fork_pages_[static_cast<size_t>(task)]; }
  const Counts& counts() const { return counts_; }

 private:
  PageRanges compare(const ImageTask& parent, const ImageTask& child, const std::vector<int>& pages_fd);
  std::vector<PageRanges> shared_;
  std::vector<std::map<int, PageRanges>> fork_pages_;
  Counts counts_;
};

}  // namespace nsr
