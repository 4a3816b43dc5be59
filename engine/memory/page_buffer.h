// Memory for the pages of tasks that run on after the dump: they need not wait for a file system to take them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/base/ids.h"

namespace nsr {

class PageBuffer {
 public:
  PageBuffer() = default;
  /// Maps and populates that much, or nothing when the host does not have it to spare.
  explicit PageBuffer(uint64_t bytes);
  ~PageBuffer();
  PageBuffer(const PageBuffer&) = delete;

  /// Room for n bytes, null when there is none left. May be called by several threads.
  std::byte* take(size_t n);

 private:
  std::byte* start_ = nullptr;
  uint64_t size_ = 0;
  std::atomic<uint64_t> used_{0};
};

/// About how much private memory a running tree has: what its leaders' statm says.
uint64_t private_bytes_of_tree(HostPid root);

}  // namespace nsr
