// Whom raw and ping sockets are connected to: getpeername(2) takes port 0 for "not connected".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/sockets/inet_address.h"

namespace nsr {

/// The remote address of the connected socket with this inode, out of the text of /proc/net/raw, raw6, icmp or icmp6;
/// no value when it is not connected or not in there.
std::optional<SocketAddress> parse_raw_peer(const std::string& text, uint32_t ino);
/// The same for a socket of this kind, out of the files of its network namespace.
std::optional<SocketAddress> raw_peer(int fd, int family, int type, uint32_t ino);

}  // namespace nsr
