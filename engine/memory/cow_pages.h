// Which pages of a frozen task are the same memory as its parent's.
#pragma once

#include <map>
#include <optional>

#include "engine/base/ids.h"
#include "engine/memory/page_range.h"

namespace nsr {

/// Compares page frames by /proc/PID/pagemap (CAP_SYS_ADMIN; else nothing is known).
class CowPages {
 public:
  /// Pages that both have at the same address and that are one page of memory. own, parent_own: pages of private memory
  /// of each. Nothing when the kernel does not show page frames to us. A parent's words are read once.
  std::optional<PageRanges> shared(HostPid pid, const PageRanges& own, HostPid parent, const PageRanges& parent_own);

  /// Pages that children of one parent share among themselves only, as far as shared() has seen them: for each page the
  /// largest group. parent_memory: private mappings of the parent.
  struct Group {
    uint64_t page;
    std::vector<HostPid> members;  ///< at least two
  };
  std::vector<Group> among_children(HostPid parent, const PageRanges& parent_memory) const;

 private:
  struct Words {
    PageRange range;
    std::vector<uint64_t> words;
  };
  std::map<HostPid, std::vector<Words>> parents_;
  /// By parent and page: children that have another page there than the parent, one that is not theirs alone.
  std::map<HostPid, std::map<uint64_t, std::vector<std::pair<uint64_t, HostPid>>>> others_;
};

}  // namespace nsr
