// What is known of one live task while its tree is dumped.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/dump/tree_images.h"
#include "engine/memory/page_range.h"
#include "engine/memory/page_store.h"
#include "engine/process/task_state.h"
#include "engine/trace/borrowed_task.h"
#include "mm.pb.h"
#include "nsr-mm.pb.h"
#include "nsr-task.pb.h"

namespace nsr {

struct LiveTask {
  FrozenTask* frozen = nullptr;
  const TreeEntry* entry = nullptr;
  std::unique_ptr<BorrowedTask> borrowed;
  std::vector<pb::core_entry> cores;          ///< one a thread, in the order of frozen->threads
  std::optional<pb::core_entry> leader_core;  ///< of a leader that has exited
  pb::nsr_task_entry ext;
  MemoryFacts memory;
  bool mappings_read = false;  ///< mm is complete
  pb::mm_entry mm;
  pb::nsr_mm_entry mm_ext;
  std::vector<PageStore::TaskRange> pages;
  HostPid handle() const { return frozen->handle(); }
  PageRange borrowed_area() const { return {borrowed->area_start(), borrowed->area_end()}; }
};

}  // namespace nsr
