// The memory in which a restore works: one area that the engine and all new tasks see at the same address.
#pragma once

#include "engine/restore/image_set.h"
#include "engine/trace/program.h"

namespace nsr {

/// The area that engine and tasks share at one address: [stub page | arena].
class SharedArea {
 public:
  /// Maps n bytes where neither the engine nor any task of the images has something.
  SharedArea(const ImageSet& set, size_t n);
  ~SharedArea();
  SharedArea(const SharedArea&) = delete;
  RemoteAddr stub() const { return start_; }
  /// arch::expansion_code(), in the stub's page.
  RemoteAddr expansion_code() const { return RemoteAddr(start_.value + kCodeDistance); }
  RemoteAddr start() const { return start_; }
  uint64_t size() const { return size_; }
  Arena& arena() { return arena_; }
  void* stub_page() const { return reinterpret_cast<void*>(start_.value); }

 private:
  static constexpr uint64_t kCodeDistance = 2048;
  RemoteAddr start_{};
  uint64_t size_ = 0;
  Arena arena_;
};

/// What the root runs first: it waits until it is traced, then drops the engine's memory. It dies with an engine that
/// does not come to that. our_child: the engine is its parent.
Program root_prelude(SharedArea& area, RemoteAddr gate, bool our_child);

}  // namespace nsr
