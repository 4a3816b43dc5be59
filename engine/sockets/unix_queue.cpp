#include "engine/sockets/unix_queue.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "engine/base/error.h"
#include "engine/sockets/peek_offset.h"
#include "engine/sockets/socket_base.h"

namespace nsr {
namespace {

constexpr size_t kFirstPiece = 64 << 10;
constexpr size_t kControlSpace = CMSG_SPACE(kMaxRights * sizeof(int)) + CMSG_SPACE(sizeof(ucred)) + 1024;

/// Takes out what came along with a message; every descriptor found is ours to close.
void take_control(msghdr& header, UnixPacket& packet) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_RIGHTS) {
      const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        packet.rights.emplace_back(fd);
      }
    }
    if (c->cmsg_type == SCM_CREDENTIALS) {
      ucred who;
      memcpy(&who, CMSG_DATA(c), sizeof who);
      packet.credentials = who;
    }
  }
}

/// One peek at the current offset. Negative: errno is EAGAIN at the end of the queue.
ssize_t peek(int fd, size_t room, UnixPacket& packet, int& flags) {
  alignas(cmsghdr) char control[kControlSpace];
  sockaddr_un from{};
  packet = {};
  packet.data.resize(room);
  iovec piece{packet.data.data(), room};
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof from;
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  flags = header.msg_flags;
  take_control(header, packet);
  constexpr size_t kPathAt = offsetof(sockaddr_un, sun_path);
  if (header.msg_namelen > kPathAt) packet.from.assign(from.sun_path, header.msg_namelen - kPathAt);
  return n;
}

/// How many of the `length` bytes at the current offset were sent before the message that has the descriptors: a peek
/// glues them onto it, and shows its descriptors even when it stops short of it. The kernel copies message by message
/// and ends with what it has when one cannot be copied whole, so the last byte gets no memory to go to.
size_t plain_prefix(int fd, size_t length) {
  std::string room(length - 1, '\0');
  iovec pieces[2] = {{room.data(), room.size()}, {reinterpret_cast<void*>(1), 1}};  // page zero is never mapped
  msghdr header{};
  header.msg_iov = pieces;
  header.msg_iovlen = 2;
  const ssize_t n = recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

void check_control(int flags, const std::string& object) {
  // Something of the ancillary data had no room: descriptors are limited by the kernel, the rest is small.
  if (flags & MSG_CTRUNC)
    throw Error(Failure::unsupported, object,
                "ancillary data waiting in its queue cannot be read whole (too many open files?)");
}

std::vector<UnixPacket> peek_stream(int fd, const PeekOffset& offset, const std::string& object) {
  std::vector<UnixPacket> queue;
  int bytes = 0, at;
  if (ioctl(fd, FIONREAD, &bytes) != 0) throw_errno(Failure::unsupported, object, "reading its queue's length", errno);
  // A look behind the end would take an error that waits there.
  for (size_t room = kFirstPiece; (at = offset.get()) < bytes;) {
    UnixPacket packet;
    int flags = 0;
    ssize_t n = peek(fd, room, packet, flags);
    if (n == 0 || (n < 0 && errno == EAGAIN)) return queue;
    if (n < 0) throw_errno(Failure::unsupported, object, "peeking at its queue", errno);
    check_control(flags, object);
    if (!packet.rights.empty() && n > 1) {
      offset.set(at);
      const size_t plain = plain_prefix(fd, static_cast<size_t>(n));
      if (plain > 0) {
        packet.rights.clear();  // they come again with their own message
        n = static_cast<ssize_t>(plain);
      }
      offset.set(at + static_cast<int>(n));
    }
    packet.data.resize(static_cast<size_t>(n));
    if (packet.data.size() == room && room < (4u << 20)) room *= 4;
    packet.data.shrink_to_fit();
    queue.push_back(std::move(packet));
  }
  return queue;
}

/// Whether an empty message of SOCK_SEQPACKET was no message but the end, which reads as empty for ever.
bool at_end(int fd, size_t seen) {
  pollfd p{fd, POLLRDHUP, 0};
  int waiting = 0;
  return poll(&p, 1, 0) == 1 && p.revents & POLLRDHUP && ioctl(fd, FIONREAD, &waiting) == 0 &&
         static_cast<size_t>(waiting) <= seen;
}

std::vector<UnixPacket> peek_messages(int fd, const PeekOffset& offset, int type, const std::string& object) {
  std::vector<UnixPacket> queue;
  size_t seen = 0;
  for (size_t room = kFirstPiece;;) {
    const int at = offset.get();
    UnixPacket packet;
    int flags = 0;
    const ssize_t n = peek(fd, room, packet, flags);
    if (n < 0 && errno == EAGAIN) return queue;
    if (n < 0 && errno == ENOTCONN) return queue;
    if (n < 0) throw_errno(Failure::unsupported, object, "peeking at its queue", errno);
    if (static_cast<size_t>(n) > room) {
      room = static_cast<size_t>(n);
      offset.set(at);
      continue;
    }
    if (n == 0 && type == SOCK_SEQPACKET && at_end(fd, seen)) return queue;
    seen += static_cast<size_t>(n);
    check_control(flags, object);
    packet.data.resize(static_cast<size_t>(n));
    queue.push_back(std::move(packet));
  }
}

}  // namespace

int waiting_error(int fd, int type) {
  pollfd p{fd, 0, 0};
  if (poll(&p, 1, 0) != 1 || !(p.revents & POLLERR)) return 0;
  int bytes = 0;
  const bool hides_data = type != SOCK_STREAM && ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
  return hides_data ? int_option(fd, SOL_SOCKET, SO_ERROR).value_or(0) : ECONNRESET;
}

std::vector<UnixPacket> peek_queue(int fd, int type, PeekGuard& guard, const std::string& object) {
  pollfd p{fd, POLLIN, 0};
  if (poll(&p, 1, 0) != 1 || !(p.revents & POLLIN)) return {};
  if (p.revents & POLLERR && type != SOCK_STREAM) return {};
  const PeekOffset offset(fd, &guard);
  return type == SOCK_STREAM ? peek_stream(fd, offset, object) : peek_messages(fd, offset, type, object);
}

int send_packet(int fd, const std::string& data, const int* rights, size_t count, const sockaddr* to,
                socklen_t to_length) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxRights * sizeof(int))] = {};
  if (count > kMaxRights) return E2BIG;
  size_t done = 0;
  do {
    iovec piece{const_cast<char*>(data.data()) + done, data.size() - done};
    msghdr header{};
    header.msg_name = const_cast<sockaddr*>(to);
    header.msg_namelen = to_length;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    if (count > 0 && done == 0) {
      header.msg_control = control;
      header.msg_controllen = CMSG_SPACE(count * sizeof(int));
      cmsghdr* c = CMSG_FIRSTHDR(&header);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(count * sizeof(int));
      memcpy(CMSG_DATA(c), rights, count * sizeof(int));
    }
    const ssize_t n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno;
    done += static_cast<size_t>(n);
  } while (done < data.size());
  return 0;
}

}  // namespace nsr
