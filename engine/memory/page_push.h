// Filling the anonymous memory of other tasks from the engine's threads.
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/memory/page_range.h"
#include "engine/memory/vma_restore.h"

namespace nsr {

/// What one task is to get. The task is stopped and has a userfaultfd open under that number.
struct PushJob {
  HostPid pid;
  int uffd = -1;
  PageRanges mappings;          ///< whole VMAs that hold the pages
  std::vector<PageLoad> loads;  ///< pages must be absent
};

/// Whether this kernel lets the engine do that (userfaultfd(2) with the right to handle faults of the kernel).
bool can_push_pages();

/// UFFDIO_COPY by several threads, which is twice as fast as a task that reads its pages itself (docs/memory.md). The
/// mappings are not registered any more afterwards. Throws Error(image) when a pages image is too short.
void push_pages(const std::vector<PushJob>& jobs);

}  // namespace nsr
