#include "engine/sockets/tcp_packet.h"

#include <netinet/tcp.h>

#include "engine/sockets/ip_packet.h"

namespace nsr {
namespace {

/// Two bytes of padding, then TSval and an empty TSecr (RFC 7323).
std::string encode_options(const TcpSegment& s) {
  if (!s.timestamp) return {};
  const uint32_t value = htonl(*s.timestamp);
  std::string bytes{TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP};
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return bytes + std::string(4, '\0');
}

}  // namespace

std::string encode_segment(const TcpSegment& original) {
  TcpSegment s = original;
  s.from = unmapped(s.from);
  s.to = unmapped(s.to);
  tcphdr tcp{};
  tcp.source = htons(port_of(s.from));
  tcp.dest = htons(port_of(s.to));
  tcp.seq = htonl(s.sequence);
  tcp.ack_seq = htonl(s.acknowledged);
  const std::string options = encode_options(s);
  tcp.doff = static_cast<uint16_t>((sizeof tcp + options.size()) / 4);
  tcp.ack = 1;
  tcp.fin = s.fin;
  tcp.rst = s.rst;
  tcp.window = htons(s.window);
  const std::string rest = options + s.data;
  const std::string unsummed = std::string(reinterpret_cast<const char*>(&tcp), sizeof tcp) + rest;
  tcp.check = htons(transport_checksum(s.from, s.to, IPPROTO_TCP, static_cast<uint32_t>(unsummed.size()), unsummed));
  return std::string(reinterpret_cast<const char*>(&tcp), sizeof tcp) + rest;
}

void inject_segment(const TcpSegment& segment, uint32_t mark, const std::string& object) {
  IpPacket packet;
  packet.from = unmapped(segment.from);
  packet.to = unmapped(segment.to);
  packet.protocol = IPPROTO_TCP;
  packet.payload = encode_segment(segment);
  send_ip_packet(packet, mark, object);
}

}  // namespace nsr
