// TCP segments made in a peer's name and delivered to a socket of this host: the only way to tell a socket that the
// peer has closed its half or has acknowledged our FIN.
#pragma once

#include <cstdint>
#include <string>

#include "engine/sockets/inet_address.h"

namespace nsr {

struct TcpSegment {
  SocketAddress from, to;  ///< from: the peer; to: our end
  uint32_t sequence = 0, acknowledged = 0;
  uint16_t window = 0;
  bool fin = false;
};

/// The segment as it lies on the wire behind the IP header, with its checksum.
std::string encode_segment(const TcpSegment& segment);
/// Sends it by a raw socket, marked with `mark`. Throws Error(environment).
void inject_segment(const TcpSegment& segment, uint32_t mark, const std::string& object);

}  // namespace nsr
