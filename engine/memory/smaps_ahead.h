// smaps of stopped tasks, read by threads of the engine while it is busy with other things: the kernel walks all page
// tables for it, and only there says which flags a mapping has. Those of small tasks are read when they are asked for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/base/ids.h"
#include "engine/procfs/smaps.h"

namespace nsr {

class SmapsAhead {
 public:
  /// Waits for what is being read; what has not begun is not read any more.
  ~SmapsAhead();
  /// The task is stopped and its own mappings, so many, with so many bytes in memory, stay as they are until take().
  void start(HostPid pid, size_t mappings, uint64_t resident);
  /// Whether take() would not wait.
  bool is_ready(HostPid pid) const;
  /// Waits for it; throws what the reading threw. Once for each start().
  std::vector<procfs::SmapsEntry> take(HostPid pid);
  /// Time that take() has waited in all.
  std::chrono::microseconds waited() const { return waited_; }

 private:
  using Reading = std::packaged_task<std::vector<procfs::SmapsEntry>()>;
  void work();

  std::map<HostPid, std::future<std::vector<procfs::SmapsEntry>>> results_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<Reading> queue_;
  bool ended_ = false;
  std::vector<std::thread> threads_;
  std::chrono::microseconds waited_{0};
};

}  // namespace nsr
