#include "engine/sockets/peek_offset.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "engine/base/error.h"
#include "engine/sockets/socket_base.h"
#include "engine/sockets/unix_queue.h"

namespace nsr {
namespace {

constexpr const char* kGuard = "guard of peek offsets";

/// The next offset and its socket. False when the engine is gone or done.
bool receive(int channel, int& offset, UniqueFd& socket) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec piece{&offset, sizeof offset};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(channel, &header, MSG_WAITALL | MSG_CMSG_CLOEXEC);
  const cmsghdr* c = CMSG_FIRSTHDR(&header);
  if (n != sizeof offset || c == nullptr || c->cmsg_type != SCM_RIGHTS) return false;
  int fd;
  memcpy(&fd, CMSG_DATA(c), sizeof fd);
  socket.reset(fd);
  return true;
}

/// Of what was said before the engine has put right all but the last.
void serve(int channel) {
  int offset, last = 0;
  UniqueFd socket;
  while (receive(channel, offset, socket)) last = offset;
  if (socket) setsockopt(socket.get(), SOL_SOCKET, SO_PEEK_OFF, &last, sizeof last);
}

}  // namespace

void PeekGuard::remember(int fd, int offset) {
  if (!process_) process_ = std::make_unique<GuardProcess>(kGuard, parking_, serve);
  const std::string bytes(reinterpret_cast<const char*>(&offset), sizeof offset);
  int error;
  while ((error = send_packet(process_->channel(), bytes, &fd, 1, nullptr, 0)) == EAGAIN) {
    pollfd room{process_->channel(), POLLOUT, 0};
    poll(&room, 1, -1);
  }
  if (error) throw_errno(Failure::internal, kGuard, "telling it", error);
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
