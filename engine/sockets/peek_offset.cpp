#include "engine/sockets/peek_offset.h"

#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "engine/base/error.h"
#include "engine/base/pass_fd.h"
#include "engine/sockets/socket_base.h"

namespace nsr {
namespace {

constexpr const char* kGuard = "guard of peek offsets";

/// Of what was said before the engine has put right all but the last.
void serve(int channel) {
  int offset, last = 0;
  UniqueFd socket;
  while (receive_with_fd(channel, &offset, sizeof offset, socket)) last = offset;
  if (socket) setsockopt(socket.get(), SOL_SOCKET, SO_PEEK_OFF, &last, sizeof last);
}

}  // namespace

void PeekGuard::remember(int fd, int offset) {
  if (!process_) process_ = std::make_unique<GuardProcess>(kGuard, parking_, serve);
  const std::string bytes(reinterpret_cast<const char*>(&offset), sizeof offset);
  if (!send_with_fd(process_->channel(), bytes, fd)) throw_errno(Failure::internal, kGuard, "telling it", errno);
}

PeekOffset::PeekOffset(int fd, PeekGuard* guard) : fd_(fd), before_(-1) {
  const auto before = int_option(fd, SOL_SOCKET, SO_PEEK_OFF);
  works_ = before.has_value();
  if (!works_) return;
  before_ = *before;
  if (guard != nullptr) guard->remember(fd, before_);
  works_ = set(0);
}

int PeekOffset::get() const { return int_option(fd_, SOL_SOCKET, SO_PEEK_OFF).value_or(0); }

bool PeekOffset::set(int at) const { return setsockopt(fd_, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof at) == 0; }

}  // namespace nsr
