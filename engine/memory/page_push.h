// Filling the memory of other tasks from the engine's threads.
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/memory/address_space.h"
#include "engine/memory/page_range.h"

namespace nsr {

/// What one task is to get. The task is stopped.
struct PushJob {
  HostPid pid;
  int uffd = -1;                  ///< number of a userfaultfd that the task has open; needed for copies only
  PageRanges mappings;            ///< whole VMAs that hold the pages of copies
  std::vector<PageLoad> copies;   ///< pages of anonymous memory, absent
  std::vector<PageLoad> written;  ///< memory that the task may write
  std::vector<PageLoad> forced;   ///< private memory that it may not write
};

/// Whether this kernel lets the engine make copies (userfaultfd(2) with the right to handle faults of the kernel).
bool can_copy_pages();

/// UFFDIO_COPY and process_vm_writev(2) by several threads, which is twice as fast as a task that reads its pages
/// itself (docs/memory.md). The mappings are not registered any more afterwards. Throws Error(image) when a pages image
/// is too short, Error(environment) when memory cannot be filled.
void push_pages(const std::vector<PushJob>& jobs);

}  // namespace nsr
