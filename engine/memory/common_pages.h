// Which pages of private memory tasks have in common (copy-on-write since fork).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/base/ids.h"
#include "engine/memory/page_range.h"

namespace nsr {

/// Pages that the same tasks have in common, each at the same address.
struct CommonPages {
  std::vector<size_t> members;  ///< indices, ascending, at least two
  PageRanges pages;
};

/// Pages of private memory of one address space.
struct PrivatePages {
  HostPid pid;
  PageRanges pages;
};

/// Compares page frames by /proc/PID/pagemap; the tasks are frozen. Nothing when the kernel does not show page frames
/// to us (CAP_SYS_ADMIN).
std::optional<std::vector<CommonPages>> find_common_pages(const std::vector<PrivatePages>& tasks);

}  // namespace nsr
