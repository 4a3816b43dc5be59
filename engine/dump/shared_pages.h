// Pages of private memory that tasks of a tree have had in common since fork(2): stored once, shared again when
// restored.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "engine/dump/live_task.h"
#include "engine/memory/cow_pages.h"

namespace nsr {

class SharedPages {
 public:
  /// Fills in_parent and the sharing fields of mm_ext of all tasks; their pages have been found. A task's address
  /// space is looked at under the first task that has it.
  explicit SharedPages(std::vector<LiveTask>& live);
  /// Whether this task has pages that another has too, or whether that is not known.
  bool shares(const LiveTask& t) const;

 private:
  using ByHandle = std::map<HostPid, PageRanges>;
  void compare_with_parents(ByHandle& shared);
  void compare_children(LiveTask& parent, ByHandle& among_children);

  CowPages cow_;
  std::vector<LiveTask>& live_;
  std::map<HostPid, NsPid> ns_pids_;  ///< by handle
  std::set<HostPid> givers_;          ///< processes that a child shares pages with
};

}  // namespace nsr
