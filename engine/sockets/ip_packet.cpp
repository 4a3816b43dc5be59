#include "engine/sockets/ip_packet.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr int kIpv6HeaderIncluded = 36;  // IPV6_HDRINCL, Linux 4.5

const sockaddr_in& v4(const SocketAddress& a) { return reinterpret_cast<const sockaddr_in&>(a.storage); }
const sockaddr_in6& v6(const SocketAddress& a) { return reinterpret_cast<const sockaddr_in6&>(a.storage); }

/// Sum of 16-bit words, folded.
uint32_t sum_words(const void* bytes, size_t n, uint32_t sum) {
  const auto* p = static_cast<const uint8_t*>(bytes);
  for (size_t i = 0; i + 1 < n; i += 2) sum += static_cast<uint32_t>(p[i] << 8 | p[i + 1]);
  if (n % 2) sum += static_cast<uint32_t>(p[n - 1] << 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

std::string header_of(const IpPacket& p) {
  if (p.to.storage.ss_family == AF_INET) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.tos = p.traffic_class;
    ip.ttl = p.hops;
    ip.protocol = p.protocol;
    ip.tot_len = htons(static_cast<uint16_t>(sizeof ip + p.payload.size()));
    ip.saddr = v4(p.from).sin_addr.s_addr;
    ip.daddr = v4(p.to).sin_addr.s_addr;
    return std::string(reinterpret_cast<const char*>(&ip), sizeof ip);  // the kernel fills id and checksum
  }
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6u << 28 | static_cast<uint32_t>(p.traffic_class) << 20);
  ip.ip6_plen = htons(static_cast<uint16_t>(p.payload.size()));
  ip.ip6_nxt = p.protocol;
  ip.ip6_hops = p.hops;
  ip.ip6_src = v6(p.from).sin6_addr;
  ip.ip6_dst = v6(p.to).sin6_addr;
  return std::string(reinterpret_cast<const char*>(&ip), sizeof ip);
}

}  // namespace

SocketAddress unmapped(const SocketAddress& a) {
  if (a.storage.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6(a).sin6_addr)) return a;
  SocketAddress plain;
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = v6(a).sin6_port;
  memcpy(&in.sin_addr, &v6(a).sin6_addr.s6_addr[12], 4);
  memcpy(&plain.storage, &in, sizeof in);
  plain.length = sizeof in;
  return plain;
}

uint16_t transport_checksum(const SocketAddress& from, const SocketAddress& to, uint8_t protocol, uint32_t length,
                            std::string_view covered) {
  uint32_t sum = protocol + (length >> 16) + (length & 0xffff);
  if (to.storage.ss_family == AF_INET) {
    sum = sum_words(&v4(from).sin_addr, 4, sum);
    sum = sum_words(&v4(to).sin_addr, 4, sum);
  } else {
    sum = sum_words(&v6(from).sin6_addr, 16, sum);
    sum = sum_words(&v6(to).sin6_addr, 16, sum);
  }
  return static_cast<uint16_t>(~sum_words(covered.data(), covered.size(), sum));
}

void send_ip_packet(const IpPacket& packet, uint32_t mark, const std::string& object) {
  const bool ipv4 = packet.to.storage.ss_family == AF_INET;
  UniqueFd raw = open_socket(ipv4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW, object);
  set_int_option(raw.get(), ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_HDRINCL : kIpv6HeaderIncluded, 1, "IP_HDRINCL",
                 object);
  set_int_option(raw.get(), SOL_SOCKET, SO_MARK, static_cast<int>(mark), "SO_MARK", object);
  const std::string bytes = header_of(packet) + packet.payload;
  SocketAddress to = packet.to;
  // A raw socket takes the port for a protocol number.
  if (ipv4)
    reinterpret_cast<sockaddr_in&>(to.storage).sin_port = 0;
  else
    reinterpret_cast<sockaddr_in6&>(to.storage).sin6_port = 0;
  if (sendto(raw.get(), bytes.data(), bytes.size(), 0, to.get(), to.length) != static_cast<ssize_t>(bytes.size()))
    throw_errno(Failure::environment, object, "sending a packet in its peer's name to " + address_text(packet.to),
                errno);
}

}  // namespace nsr
