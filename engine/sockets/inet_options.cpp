#include "engine/sockets/inet_options.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "engine/base/error.h"
#include "engine/sockets/socket_base.h"

namespace nsr {
namespace {

constexpr int kIpv6Freebind = 78, kIpv6 = 41, kIp = 0, kTcp = 6, kIcmpv6 = 58, kRaw = 255;

bool is_v6(const pb::inet_sk_entry& entry) { return entry.family() == AF_INET6; }

/// The filter's words; ICMP has one, ICMPv6 eight.
std::vector<uint32_t> icmp_filter(int fd, bool v6) {
  uint32_t words[8] = {};
  socklen_t length = v6 ? 32 : 4;
  if (getsockopt(fd, v6 ? kIcmpv6 : kRaw, v6 ? ICMPV6_FILTER : ICMP_FILTER, words, &length) != 0) return {};
  return {words, words + length / 4};
}

void collect_raw(int fd, int fresh, pb::inet_sk_entry& entry) {
  pb::ip_opts_raw_entry raw;
  if (int_option(fd, kIp, IP_HDRINCL).value_or(0)) raw.set_hdrincl(true);
  if (int_option(fd, kIp, IP_NODEFRAG).value_or(0)) raw.set_nodefrag(true);
  const auto filter = icmp_filter(fd, is_v6(entry));
  if (!filter.empty() && filter != icmp_filter(fresh, is_v6(entry)))
    for (uint32_t word : filter) raw.add_icmpv_filter(word);
  if (raw.has_hdrincl() || raw.has_nodefrag() || raw.icmpv_filter_size()) *entry.mutable_ip_opts()->mutable_raw() = raw;
}

void apply_raw(int fd, const pb::inet_sk_entry& entry, const std::string& object) {
  const auto& raw = entry.ip_opts().raw();
  if (raw.hdrincl()) set_int_option(fd, kIp, IP_HDRINCL, 1, "IP_HDRINCL", object);
  if (raw.nodefrag()) set_int_option(fd, kIp, IP_NODEFRAG, 1, "IP_NODEFRAG", object);
  if (raw.icmpv_filter_size() &&
      setsockopt(fd, is_v6(entry) ? kIcmpv6 : kRaw, is_v6(entry) ? ICMPV6_FILTER : ICMP_FILTER,
                 raw.icmpv_filter().data(), static_cast<socklen_t>(raw.icmpv_filter_size()) * 4) != 0)
    throw_errno(Failure::environment, object, "setting the ICMP filter", errno);
}

void collect_tcp(int fd, pb::inet_sk_entry& entry) {
  auto& tcp = *entry.mutable_tcp_opts();
  tcp.set_cork(int_option(fd, kTcp, TCP_CORK).value_or(0) != 0);
  tcp.set_nodelay(int_option(fd, kTcp, TCP_NODELAY).value_or(0) != 0);
  const auto keep = [&](int name) { return static_cast<uint32_t>(int_option(fd, kTcp, name).value_or(0)); };
  tcp.set_keepcnt(keep(TCP_KEEPCNT));
  tcp.set_keepidle(keep(TCP_KEEPIDLE));
  tcp.set_keepintvl(keep(TCP_KEEPINTVL));
}

}  // namespace

void collect_ip_options(int fd, int fresh, pb::inet_sk_entry& entry) {
  const bool v6 = is_v6(entry);
  const auto differs = [&](int level, int name) {
    const auto value = int_option(fd, level, name);
    return value && value != int_option(fresh, level, name) ? value : std::nullopt;
  };
  if (v6) entry.set_v6only(int_option(fd, kIpv6, IPV6_V6ONLY).value_or(0) != 0);
  if (int_option(fd, v6 ? kIpv6 : kIp, v6 ? kIpv6Freebind : IP_FREEBIND).value_or(0))
    entry.mutable_ip_opts()->set_freebind(true);
  if (int_option(fd, v6 ? kIpv6 : kIp, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO).value_or(0))
    entry.mutable_ip_opts()->set_pktinfo(true);
  if (const auto tos = differs(kIp, IP_TOS)) entry.mutable_ip_opts()->set_tos(static_cast<uint32_t>(*tos));
  if (const auto ttl = differs(kIp, IP_TTL)) entry.mutable_ip_opts()->set_ttl(static_cast<uint32_t>(*ttl));
  if (entry.type() == SOCK_RAW) collect_raw(fd, fresh, entry);
  if (entry.proto() == IPPROTO_TCP) collect_tcp(fd, entry);
}

void apply_ip_options(int fd, const pb::inet_sk_entry& entry, const std::string& object) {
  const bool v6 = is_v6(entry);
  // Raw sockets know it only as zero and refuse to be told.
  if (v6 && entry.has_v6only() && int_option(fd, kIpv6, IPV6_V6ONLY) != static_cast<int>(entry.v6only()))
    set_int_option(fd, kIpv6, IPV6_V6ONLY, entry.v6only(), "IPV6_V6ONLY", object);
  const auto& ip = entry.ip_opts();
  if (ip.freebind()) set_int_option(fd, v6 ? kIpv6 : kIp, v6 ? kIpv6Freebind : IP_FREEBIND, 1, "IP_FREEBIND", object);
  if (ip.pktinfo()) set_int_option(fd, v6 ? kIpv6 : kIp, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1, "IP_PKTINFO", object);
  if (ip.has_tos() && int_option(fd, kIp, IP_TOS) != static_cast<int>(ip.tos()))
    set_int_option(fd, kIp, IP_TOS, static_cast<int>(ip.tos()), "IP_TOS", object);
  if (ip.has_ttl() && int_option(fd, kIp, IP_TTL) != static_cast<int>(ip.ttl()))
    set_int_option(fd, kIp, IP_TTL, static_cast<int>(ip.ttl()), "IP_TTL", object);
  if (ip.has_raw()) apply_raw(fd, entry, object);
}

void apply_tcp_options(int fd, const pb::inet_sk_entry& entry, const std::string& object) {
  const auto& tcp = entry.tcp_opts();
  const auto keep = [&](bool there, uint32_t value, int name, const char* words) {
    if (there && value != 0 && int_option(fd, kTcp, name) != static_cast<int>(value))
      set_int_option(fd, kTcp, name, static_cast<int>(value), words, object);
  };
  // Older images of the peer keep the times among the generic options.
  const auto& old = entry.opts();
  keep(old.has_tcp_keepcnt(), old.tcp_keepcnt(), TCP_KEEPCNT, "TCP_KEEPCNT");
  keep(old.has_tcp_keepidle(), old.tcp_keepidle(), TCP_KEEPIDLE, "TCP_KEEPIDLE");
  keep(old.has_tcp_keepintvl(), old.tcp_keepintvl(), TCP_KEEPINTVL, "TCP_KEEPINTVL");
  keep(tcp.has_keepcnt(), tcp.keepcnt(), TCP_KEEPCNT, "TCP_KEEPCNT");
  keep(tcp.has_keepidle(), tcp.keepidle(), TCP_KEEPIDLE, "TCP_KEEPIDLE");
  keep(tcp.has_keepintvl(), tcp.keepintvl(), TCP_KEEPINTVL, "TCP_KEEPINTVL");
  if (tcp.nodelay()) set_int_option(fd, kTcp, TCP_NODELAY, 1, "TCP_NODELAY", object);
  if (tcp.cork()) set_int_option(fd, kTcp, TCP_CORK, 1, "TCP_CORK", object);
}

}  // namespace nsr
