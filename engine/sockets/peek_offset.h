// SO_PEEK_OFF (socket(7); UNIX sockets since Linux 3.4, TCP since 6.9): where a peek begins, shared by all who have the
// socket.
#pragma once

#include <memory>
#include <vector>

#include "engine/sockets/guard_process.h"

namespace nsr {

/// Puts an offset right when the engine dies while it peeks, before a task of the tree runs.
class PeekGuard {
 public:
  /// parking: DumpContext's. Its process is made when it is first needed.
  explicit PeekGuard(std::vector<int> parking) : parking_(std::move(parking)) {}
  /// This is what the socket gets then, instead of what was said before. Throws Error(environment).
  void remember(int fd, int offset);

 private:
  std::vector<int> parking_;
  std::unique_ptr<GuardProcess> process_;
};

/// Peeks start at the front of the queue and go on from there for as long as it lives; afterwards the offset is what it
/// was. Without effect on sockets that do not know the option.
class PeekOffset {
 public:
  /// guard: nullptr when the engine's death is not ours.
  PeekOffset(int fd, PeekGuard* guard);
  PeekOffset(const PeekOffset&) = delete;
  PeekOffset& operator=(const PeekOffset&) = delete;
  ~PeekOffset() { set(before_); }
  int get() const;
  bool set(int at) const;
  /// Whether peeks go on where the last one ended.
  bool works() const { return works_; }

 private:
  int fd_, before_;
  bool works_;
};

}  // namespace nsr
