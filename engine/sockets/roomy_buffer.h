// Room for data that a socket's own buffer size need not give in one piece.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "engine/sockets/socket_base.h"

namespace nsr {

/// Makes a socket's buffer large enough for `bytes` and the kernel's own needs; the size and the lock against
/// autotuning are put back when it goes. Several end in the opposite order. Throws Error(environment).
class RoomyBuffer {
 public:
  /// which: SO_SNDBUF or SO_RCVBUF.
  RoomyBuffer(int fd, int which, size_t bytes, const std::string& object)
      : fd_(fd), force_(which == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE) {
    const size_t wanted = std::min<size_t>(8 * bytes + (1 << 20), INT32_MAX / 2);
    const int now = int_option(fd, SOL_SOCKET, which).value_or(0);
    if (bytes == 0 || static_cast<size_t>(now) >= 2 * wanted) return;
    lock_ = int_option(fd, SOL_SOCKET, SO_BUF_LOCK).value_or(0);
    set_int_option(fd, SOL_SOCKET, force_, static_cast<int>(wanted), "a buffer size", object);
    before_ = now;
  }
  RoomyBuffer(const RoomyBuffer&) = delete;
  RoomyBuffer& operator=(const RoomyBuffer&) = delete;
  ~RoomyBuffer() {
    if (before_ == 0) return;
    const int half = before_ / 2;  // getsockopt(2) gives twice what setsockopt(2) takes
    setsockopt(fd_, SOL_SOCKET, force_, &half, sizeof half);
    setsockopt(fd_, SOL_SOCKET, SO_BUF_LOCK, &lock_, sizeof lock_);
  }

 private:
  int fd_, force_, before_ = 0, lock_ = 0;
};

}  // namespace nsr
