// Data that waits in a UNIX socket: read without taking it away, written again on the other side.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

#include "engine/base/unique_fd.h"

namespace nsr {

class PeekGuard;

struct UnixPacket {
  std::string data;
  std::vector<UniqueFd> rights;      ///< SCM_RIGHTS, our own duplicates
  std::string from;                  ///< the sender's name; empty = unnamed
  std::optional<ucred> credentials;  ///< SCM_CREDENTIALS, when the receiver asked for them
};

/// All messages of the queue in order; for SOCK_STREAM pieces that are split where descriptors lie. The queue and the
/// socket's SO_PEEK_OFF are afterwards as before. After waiting_error(). Throws Error(unsupported) naming the object.
std::vector<UnixPacket> peek_queue(int fd, int type, PeekGuard& guard, const std::string& object);

/// The error that the socket's next call gets (ECONNRESET: the other end closed with data unread), or 0. It stays
/// there, but for other types than streams with data behind it: the kernel shows that only when it has been taken.
int waiting_error(int fd, int type);

/// sendmsg(2) of one message with descriptors; to == nullptr sends to the connected peer. Returns 0 or errno.
/// Makes system calls only.
int send_packet(int fd, const std::string& data, const int* rights, size_t count, const sockaddr* to,
                socklen_t to_length);

/// Kernel limit on descriptors in one message (unix(7), SCM_MAX_FD).
inline constexpr size_t kMaxRights = 253;

}  // namespace nsr
