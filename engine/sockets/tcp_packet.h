// TCP segments made by hand. In a peer's name they tell a socket of this host that the peer has closed its half or has
// acknowledged our FIN; in a socket's name they make its peer say at once what it has got.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/sockets/inet_address.h"

namespace nsr {

struct TcpSegment {
  SocketAddress from, to;
  uint32_t sequence = 0, acknowledged = 0;
  uint16_t window = 0;
  bool fin = false, rst = false;
  std::optional<uint32_t> timestamp;  ///< TSval; nothing is echoed
  std::string data;
};

/// The segment as it lies on the wire behind the IP header, with its checksum. An odd number of bytes is fine.
std::string encode_segment(const TcpSegment& segment);
/// Sends it by a raw socket, marked with `mark`. Throws Error(environment).
void inject_segment(const TcpSegment& segment, uint32_t mark, const std::string& object);

}  // namespace nsr
