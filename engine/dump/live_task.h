// What is known of one live task while its tree is dumped.
#pragma once

#include <google/protobuf/arena.h>

#include <memory>
#include <optional>
#include <vector>

#include "engine/dump/thread_facts.h"
#include "engine/dump/tree_images.h"
#include "engine/memory/page_range.h"
#include "engine/memory/page_store.h"
#include "engine/process/task_state.h"
#include "engine/trace/borrowed_task.h"
#include "mm.pb.h"
#include "nsr-mm.pb.h"
#include "nsr-task.pb.h"

namespace nsr {

/// Messages of a task that grow with its threads: made in blocks and freed all at once.
struct TaskMessages {
  google::protobuf::Arena blocks{[] {
    google::protobuf::ArenaOptions options;
    options.start_block_size = 8 << 10;
    options.max_block_size = 1 << 20;
    return options;
  }()};
  TaskStateReader::Cores& cores = *google::protobuf::Arena::CreateMessage<TaskStateReader::Cores>(&blocks);
  pb::nsr_task_entry& ext = *google::protobuf::Arena::CreateMessage<pb::nsr_task_entry>(&blocks);
};

struct LiveTask {
  FrozenTask* frozen = nullptr;
  const TreeEntry* entry = nullptr;
  std::unique_ptr<ThreadFacts> facts;
  std::unique_ptr<BorrowedTask> borrowed;
  std::unique_ptr<TaskMessages> messages = std::make_unique<TaskMessages>();
  std::optional<pb::core_entry> leader_core;  ///< of a leader that has exited
  MemoryFacts memory;
  bool mappings_read = false;  ///< mm is complete
  pb::mm_entry mm;
  pb::nsr_mm_entry mm_ext;
  std::vector<PageStore::TaskRange> pages;
  /// One a thread, in the order of frozen->threads.
  TaskStateReader::Cores& cores() const { return messages->cores; }
  pb::core_entry& core(size_t i) const { return messages->cores[static_cast<int>(i)]; }
  pb::nsr_task_entry& ext() const { return messages->ext; }
  HostPid handle() const { return frozen->handle(); }
  PageRange borrowed_area() const { return {borrowed->area_start(), borrowed->area_end()}; }
};

}  // namespace nsr
