// What the socket families share: which protocol an open file speaks, sockets of a given kind to compare with, and the
// records of nsr-sk.img.
#pragma once

#include <sys/socket.h>

#include <map>
#include <optional>
#include <string>

#include "engine/base/unique_fd.h"
#include "engine/descriptors/kind.h"
#include "nsr-sk.pb.h"

namespace nsr {

/// Name of the kernel's protocol ("TCPv6", "UNIX-STREAM", "NETLINK", socket(7) "system.sockprotoname"); empty when the
/// file is no socket.
std::string socket_protocol(const OpenFile& file);

/// socket(2) with SOCK_CLOEXEC. Throws Error(environment) naming `object`.
UniqueFd open_socket(int family, int type, int protocol, const std::string& object);

/// getsockopt of an int; no value when the kernel refuses.
std::optional<int> int_option(int fd, int level, int name);
/// setsockopt of an int; throws Error(environment) naming the option in words.
void set_int_option(int fd, int level, int name, int value, const char* words, const std::string& object);

/// Whether a read would give something, be it an error. A look at the queue itself would take such an error away.
bool has_unread(int fd);

/// F_SETFL with the bits of `flags` that a socket keeps (O_NONBLOCK, O_ASYNC is set with its owner).
void set_socket_flags(int fd, uint32_t flags, const std::string& object);

/// getsockname or getpeername with its length; length 0 when the kernel refuses.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
SocketAddress local_address(int fd);
SocketAddress peer_address(int fd);

/// The records of nsr-sk.img by file id, read at first use.
class SocketExtras {
 public:
  /// Empty record when the image has none for this id.
  const pb::nsr_sk_entry& of(uint32_t id, ImageDir& images);

 private:
  bool read_ = false;
  std::map<uint32_t, pb::nsr_sk_entry> by_id_;
};

/// Appends a record unless it says nothing.
void write_extra(const pb::nsr_sk_entry& extra, ImageDir& images);

}  // namespace nsr
