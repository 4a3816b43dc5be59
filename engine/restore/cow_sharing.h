// Which pages tasks have in common (copy-on-write after fork).
#pragma once

#include <map>
#include <vector>

#include "engine/memory/mapped_image.h"
#include "engine/memory/page_range.h"
#include "engine/restore/image_set.h"

namespace nsr {

/// Pages of a task that are one with those of the other tasks of the same group at these addresses.
struct CommonRun {
  PageRange range;
  uint64_t group;
};

/// From nsr-mm images. Where a dump does not tell (another program made it), pages of private memory that a task and
/// its parent have at one address are compared.
class CowSharing {
 public:
  /// pages_fd: descriptors of ImageSet::pages_files.
  CowSharing(const ImageSet& set, const std::vector<int>& pages_fd);
  /// Disjoint, in no order.
  const std::vector<CommonRun>& of(int task) const { return runs_[static_cast<size_t>(task)]; }
  uint64_t compared() const { return compared_; }

 private:
  void take_noted(size_t task);
  void compare_with_parent(size_t task);
  PageRanges equal_pages(const ImageTask& parent, const ImageTask& child);
  const std::byte* page_of(const PageRun& run, uint64_t vaddr);

  const ImageSet& set_;
  const std::vector<int>& pages_fd_;
  std::vector<std::vector<CommonRun>> runs_;
  std::map<size_t, PageRanges> of_parents_;  ///< of tasks: what compared children have that is first found in them
  std::map<size_t, MappedImage> images_;
  uint64_t compared_ = 0;
};

}  // namespace nsr
