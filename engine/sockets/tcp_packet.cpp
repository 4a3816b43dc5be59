#include "engine/sockets/tcp_packet.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr int kIpv6HeaderIncluded = 36;  // IPV6_HDRINCL, Linux 4.5
constexpr uint8_t kHops = 64;

const sockaddr_in& v4(const SocketAddress& a) { return reinterpret_cast<const sockaddr_in&>(a.storage); }
const sockaddr_in6& v6(const SocketAddress& a) { return reinterpret_cast<const sockaddr_in6&>(a.storage); }

/// An AF_INET6 socket may speak IPv4 on the wire.
bool mapped(const SocketAddress& a) {
  return a.storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6(a).sin6_addr);
}

SocketAddress unmapped(const SocketAddress& a) {
  if (!mapped(a)) return a;
  SocketAddress plain;
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = v6(a).sin6_port;
  memcpy(&in.sin_addr, &v6(a).sin6_addr.s6_addr[12], 4);
  memcpy(&plain.storage, &in, sizeof in);
  plain.length = sizeof in;
  return plain;
}

/// RFC 1071 sum of 16-bit words, folded.
uint32_t sum_words(const void* bytes, size_t n, uint32_t sum) {
  const auto* p = static_cast<const uint8_t*>(bytes);
  for (size_t i = 0; i + 1 < n; i += 2) sum += static_cast<uint32_t>(p[i] << 8 | p[i + 1]);
  if (n % 2) sum += static_cast<uint32_t>(p[n - 1] << 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

std::string ip_header(const TcpSegment& s, size_t payload) {
  if (s.to.storage.ss_family == AF_INET) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.ttl = kHops;
    ip.protocol = IPPROTO_TCP;
    ip.tot_len = htons(static_cast<uint16_t>(sizeof ip + payload));
    ip.saddr = v4(s.from).sin_addr.s_addr;
    ip.daddr = v4(s.to).sin_addr.s_addr;
    return std::string(reinterpret_cast<const char*>(&ip), sizeof ip);  // the kernel fills id and checksum
  }
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6u << 28);
  ip.ip6_plen = htons(static_cast<uint16_t>(payload));
  ip.ip6_nxt = IPPROTO_TCP;
  ip.ip6_hops = kHops;
  ip.ip6_src = v6(s.from).sin6_addr;
  ip.ip6_dst = v6(s.to).sin6_addr;
  return std::string(reinterpret_cast<const char*>(&ip), sizeof ip);
}

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
  const bool ipv4 = s.to.storage.ss_family == AF_INET;
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
  uint32_t sum = IPPROTO_TCP + static_cast<uint32_t>(sizeof tcp + rest.size());
  if (ipv4) {
    sum = sum_words(&v4(s.from).sin_addr, 4, sum);
    sum = sum_words(&v4(s.to).sin_addr, 4, sum);
  } else {
    sum = sum_words(&v6(s.from).sin6_addr, 16, sum);
    sum = sum_words(&v6(s.to).sin6_addr, 16, sum);
  }
  sum = sum_words(&tcp, sizeof tcp, sum);
  tcp.check = htons(static_cast<uint16_t>(~sum_words(rest.data(), rest.size(), sum)));
  return std::string(reinterpret_cast<const char*>(&tcp), sizeof tcp) + rest;
}

void inject_segment(const TcpSegment& original, uint32_t mark, const std::string& object) {
  TcpSegment s = original;
  s.from = unmapped(s.from);
  s.to = unmapped(s.to);
  const bool ipv4 = s.to.storage.ss_family == AF_INET;
  UniqueFd raw = open_socket(ipv4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW, object);
  set_int_option(raw.get(), ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_HDRINCL : kIpv6HeaderIncluded, 1, "IP_HDRINCL",
                 object);
  set_int_option(raw.get(), SOL_SOCKET, SO_MARK, static_cast<int>(mark), "SO_MARK", object);
  const std::string tcp = encode_segment(s), packet = ip_header(s, tcp.size()) + tcp;
  SocketAddress to = s.to;
  // A raw socket takes the port for a protocol number.
  if (ipv4)
    reinterpret_cast<sockaddr_in&>(to.storage).sin_port = 0;
  else
    reinterpret_cast<sockaddr_in6&>(to.storage).sin6_port = 0;
  if (sendto(raw.get(), packet.data(), packet.size(), 0, to.get(), to.length) != static_cast<ssize_t>(packet.size()))
    throw_errno(Failure::environment, object, "sending a segment in the peer's name to " + address_text(s.to), errno);
}

}  // namespace nsr
