// IP packets made by hand and sent by a raw socket, also in the name of an address that is not ours: a socket of this
// host takes them as if its peer had sent them.
#pragma once

#include <cstdint>
#include <string>

#include "engine/sockets/inet_address.h"

namespace nsr {

struct IpPacket {
  SocketAddress from, to;  ///< of one family; ports are not used
  uint8_t protocol = 0;
  uint8_t hops = 64;  ///< TTL
  uint8_t traffic_class = 0;
  std::string payload;  ///< transport header, with its checksum, and data
};

/// An AF_INET6 socket may speak IPv4 on the wire: then that address, else the same.
SocketAddress unmapped(const SocketAddress& address);

/// The Internet checksum (RFC 1071) of pseudo header and bytes; `covered` bytes of them count, `length` stands in the
/// pseudo header. What a receiver sums up to is zero.
uint16_t transport_checksum(const SocketAddress& from, const SocketAddress& to, uint8_t protocol, uint32_t length,
                            std::string_view covered);

/// Sends it, marked with `mark`. Throws Error(environment).
void send_ip_packet(const IpPacket& packet, uint32_t mark, const std::string& object);

}  // namespace nsr
