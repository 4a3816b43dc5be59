// SO_PEEK_OFF (socket(7); UNIX sockets since Linux 3.4, TCP since 6.9): where a peek begins, shared by all who have the
// socket.
#pragma once

#include <sys/socket.h>

#include "engine/sockets/socket_base.h"

namespace nsr {

/// Peeks start at the front of the queue and go on from there for as long as it lives; afterwards the offset is what it
/// was. Without effect on sockets that do not know the option.
class PeekOffset {
 public:
  explicit PeekOffset(int fd) : fd_(fd), before_(int_option(fd, SOL_SOCKET, SO_PEEK_OFF).value_or(kNone)) {
    works_ = set(0);
  }
  PeekOffset(const PeekOffset&) = delete;
  PeekOffset& operator=(const PeekOffset&) = delete;
  ~PeekOffset() { setsockopt(fd_, SOL_SOCKET, SO_PEEK_OFF, &before_, sizeof before_); }
  int get() const { return int_option(fd_, SOL_SOCKET, SO_PEEK_OFF).value_or(0); }
  bool set(int at) const { return setsockopt(fd_, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof at) == 0; }
  /// Whether peeks go on where the last one ended.
  bool works() const { return works_; }

 private:
  static constexpr int kNone = -1;
  int fd_, before_;
  bool works_ = false;
};

}  // namespace nsr
