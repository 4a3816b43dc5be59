#include "engine/sockets/option_table.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <sys/socket.h>

namespace nsr {
namespace {

constexpr int kUdpLite = 136;
constexpr int kUdpLiteSendCoverage = 10;  // UDPLITE_SEND_CSCOV, linux/udplite.h (kernel only)
constexpr int kUdpLiteRecvCoverage = 11;
constexpr int kUdp = 17, kTcp = 6, kRaw = 255, kNetlink = 270, kPacket = 263, kIp = 0, kIpv6 = 41;
// Newer than Debian 12's headers.
constexpr int kSoPasspidfd = 76, kSoRcvpriority = 82, kSoPassrights = 83, kIpLocalPortRange = 51;
constexpr int kIpv6HeaderIncluded = 36;
constexpr int kPacketVnetHdrSize = 24;
constexpr int kTcpRtoMaxMs = 44, kTcpRtoMinUs = 45, kTcpDelackMaxUs = 46;  // Linux 6.15

using enum OptionUse;

#define NSR_OPTION(level, name, size, late) \
  { level, name, size, late, #name }
constexpr ExtraOption kTable[] = {
    // socket(7)
    NSR_OPTION(SOL_SOCKET, SO_DEBUG, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_TIMESTAMP, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_TIMESTAMPNS, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_TIMESTAMP_NEW, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_TIMESTAMPNS_NEW, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_TIMESTAMPING, 8, early),
    NSR_OPTION(SOL_SOCKET, SO_RXQ_OVFL, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_WIFI_STATUS, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_NOFCS, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_SELECT_ERR_QUEUE, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_BUSY_POLL, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_PREFER_BUSY_POLL, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_MAX_PACING_RATE, 8, early),
    NSR_OPTION(SOL_SOCKET, SO_INCOMING_CPU, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_ZEROCOPY, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_TXTIME, 8, early),
    NSR_OPTION(SOL_SOCKET, SO_TXREHASH, 4, early),
    NSR_OPTION(SOL_SOCKET, SO_RCVMARK, 4, early),
    {SOL_SOCKET, kSoPasspidfd, 4, early, "SO_PASSPIDFD"},
    {SOL_SOCKET, kSoRcvpriority, 4, early, "SO_RCVPRIORITY"},
    {SOL_SOCKET, kSoPassrights, 4, late, "SO_PASSRIGHTS"},
    // ip(7)
    NSR_OPTION(kIp, IP_ROUTER_ALERT, 4, early),
    NSR_OPTION(kIp, IP_PKTINFO, 4, early),  // also of IPv6 sockets, beside IPV6_RECVPKTINFO
    NSR_OPTION(kIp, IP_RECVTTL, 4, early),
    NSR_OPTION(kIp, IP_RECVOPTS, 4, early),
    NSR_OPTION(kIp, IP_RETOPTS, 4, early),
    NSR_OPTION(kIp, IP_RECVTOS, 4, early),
    NSR_OPTION(kIp, IP_RECVERR, 4, early),
    NSR_OPTION(kIp, IP_RECVERR_RFC4884, 4, early),
    NSR_OPTION(kIp, IP_RECVORIGDSTADDR, 4, early),
    NSR_OPTION(kIp, IP_RECVFRAGSIZE, 4, early),
    NSR_OPTION(kIp, IP_PASSSEC, 4, early),
    NSR_OPTION(kIp, IP_CHECKSUM, 4, early),
    NSR_OPTION(kIp, IP_TRANSPARENT, 4, early),
    NSR_OPTION(kIp, IP_MTU_DISCOVER, 4, early),
    NSR_OPTION(kIp, IP_MINTTL, 4, early),
    NSR_OPTION(kIp, IP_BIND_ADDRESS_NO_PORT, 4, early),
    {kIp, kIpLocalPortRange, 4, early, "IP_LOCAL_PORT_RANGE"},
    NSR_OPTION(kIp, IP_MULTICAST_TTL, 4, datagrams),
    NSR_OPTION(kIp, IP_MULTICAST_LOOP, 4, early),
    NSR_OPTION(kIp, IP_MULTICAST_ALL, 4, early),
    NSR_OPTION(kIp, IP_MULTICAST_IF, 4, datagrams),
    NSR_OPTION(kIp, IP_UNICAST_IF, 4, early),
    NSR_OPTION(kIp, IP_OPTIONS, 0, early),
    // ipv6(7)
    NSR_OPTION(kIpv6, IPV6_2292PKTINFO, 4, early),
    NSR_OPTION(kIpv6, IPV6_2292HOPOPTS, 4, early),
    NSR_OPTION(kIpv6, IPV6_2292DSTOPTS, 4, early),
    NSR_OPTION(kIpv6, IPV6_2292RTHDR, 4, early),
    NSR_OPTION(kIpv6, IPV6_2292HOPLIMIT, 4, early),
    NSR_OPTION(kIpv6, IPV6_FLOWINFO, 4, early),
    NSR_OPTION(kIpv6, IPV6_FLOWINFO_SEND, 4, early),
    {kIpv6, kIpv6HeaderIncluded, 4, early, "IPV6_HDRINCL"},
    NSR_OPTION(kIpv6, IPV6_UNICAST_HOPS, 4, early),
    NSR_OPTION(kIpv6, IPV6_MULTICAST_HOPS, 4, datagrams),
    NSR_OPTION(kIpv6, IPV6_MULTICAST_LOOP, 4, early),
    NSR_OPTION(kIpv6, IPV6_MULTICAST_IF, 4, datagrams),
    NSR_OPTION(kIpv6, IPV6_MULTICAST_ALL, 4, early),
    NSR_OPTION(kIpv6, IPV6_UNICAST_IF, 4, early),
    NSR_OPTION(kIpv6, IPV6_MTU_DISCOVER, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVERR, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVERR_RFC4884, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVHOPLIMIT, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVRTHDR, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVHOPOPTS, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVDSTOPTS, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVTCLASS, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVPATHMTU, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVORIGDSTADDR, 4, early),
    NSR_OPTION(kIpv6, IPV6_RECVFRAGSIZE, 4, early),
    NSR_OPTION(kIpv6, IPV6_TCLASS, 4, early),
    NSR_OPTION(kIpv6, IPV6_DONTFRAG, 4, early),
    NSR_OPTION(kIpv6, IPV6_TRANSPARENT, 4, early),
    NSR_OPTION(kIpv6, IPV6_AUTOFLOWLABEL, 4, early),
    NSR_OPTION(kIpv6, IPV6_ADDR_PREFERENCES, 4, early),
    NSR_OPTION(kIpv6, IPV6_MINHOPCOUNT, 4, early),
    NSR_OPTION(kIpv6, IPV6_ROUTER_ALERT_ISOLATE, 4, early),
    // tcp(7)
    NSR_OPTION(kTcp, TCP_SYNCNT, 4, early),
    NSR_OPTION(kTcp, TCP_LINGER2, 4, early),
    NSR_OPTION(kTcp, TCP_DEFER_ACCEPT, 4, early),
    NSR_OPTION(kTcp, TCP_QUICKACK, 4, late),      // what goes to and fro changes it, too
    NSR_OPTION(kTcp, TCP_WINDOW_CLAMP, 4, late),  // a connect(2) chooses its own
    NSR_OPTION(kTcp, TCP_MAXSEG, 4, early),
    NSR_OPTION(kTcp, TCP_FASTOPEN, 4, early),
    NSR_OPTION(kTcp, TCP_CONGESTION, 0, early),
    NSR_OPTION(kTcp, TCP_THIN_LINEAR_TIMEOUTS, 4, early),
    NSR_OPTION(kTcp, TCP_USER_TIMEOUT, 4, early),
    NSR_OPTION(kTcp, TCP_FASTOPEN_CONNECT, 4, early),
    NSR_OPTION(kTcp, TCP_FASTOPEN_NO_COOKIE, 4, early),
    NSR_OPTION(kTcp, TCP_NOTSENT_LOWAT, 4, early),
    NSR_OPTION(kTcp, TCP_SAVE_SYN, 4, early),
    NSR_OPTION(kTcp, TCP_INQ, 4, early),
    NSR_OPTION(kTcp, TCP_TX_DELAY, 4, early),
    {kTcp, kTcpRtoMaxMs, 4, early, "TCP_RTO_MAX_MS"},
    {kTcp, kTcpRtoMinUs, 4, early, "TCP_RTO_MIN_US"},
    {kTcp, kTcpDelackMaxUs, 4, early, "TCP_DELACK_MAX_US"},
    // raw(7), icmp(7)
    {kRaw, IPV6_CHECKSUM, 4, early, "IPV6_CHECKSUM"},
    // udp(7), udplite(7)
    NSR_OPTION(kUdp, UDP_CORK, 4, late),
    NSR_OPTION(kUdp, UDP_ENCAP, 4, early),
    NSR_OPTION(kUdp, UDP_NO_CHECK6_TX, 4, early),
    NSR_OPTION(kUdp, UDP_NO_CHECK6_RX, 4, early),
    NSR_OPTION(kUdp, UDP_SEGMENT, 4, early),
    NSR_OPTION(kUdp, UDP_GRO, 4, early),
    {kUdpLite, UDP_CORK, 4, late, "UDP_CORK"},
    {kUdpLite, kUdpLiteSendCoverage, 4, early, "UDPLITE_SEND_CSCOV"},
    {kUdpLite, kUdpLiteRecvCoverage, 4, early, "UDPLITE_RECV_CSCOV"},
    // netlink(7)
    NSR_OPTION(kNetlink, NETLINK_PKTINFO, 4, early),
    NSR_OPTION(kNetlink, NETLINK_BROADCAST_ERROR, 4, early),
    NSR_OPTION(kNetlink, NETLINK_NO_ENOBUFS, 4, early),
    NSR_OPTION(kNetlink, NETLINK_LISTEN_ALL_NSID, 4, early),
    NSR_OPTION(kNetlink, NETLINK_CAP_ACK, 4, early),
    NSR_OPTION(kNetlink, NETLINK_EXT_ACK, 4, early),
    NSR_OPTION(kNetlink, NETLINK_GET_STRICT_CHK, 4, early),
    // packet(7)
    NSR_OPTION(kPacket, PACKET_TX_HAS_OFF, 4, early),
    NSR_OPTION(kPacket, PACKET_QDISC_BYPASS, 4, early),
    NSR_OPTION(kPacket, PACKET_IGNORE_OUTGOING, 4, early),
    {kPacket, kPacketVnetHdrSize, 4, early, "PACKET_VNET_HDR_SZ"},
    // After everything else: peeking starts from here, and no filter may change any more.
    NSR_OPTION(SOL_SOCKET, SO_PEEK_OFF, 4, late),
    NSR_OPTION(SOL_SOCKET, SO_LOCK_FILTER, 4, late),
};
#undef NSR_OPTION

}  // namespace

std::span<const ExtraOption> extra_options() { return kTable; }

const ExtraOption* find_extra_option(int level, int name) {
  for (const ExtraOption& option : kTable)
    if (option.level == level && option.name == name) return &option;
  return nullptr;
}

}  // namespace nsr
