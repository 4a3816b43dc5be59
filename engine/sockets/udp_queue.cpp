#include "engine/sockets/udp_queue.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/connection_lock.h"
#include "engine/sockets/ip_packet.h"
#include "engine/sockets/peek_offset.h"
#include "engine/sockets/roomy_buffer.h"

namespace nsr {
namespace {

const Logger log("udp");
constexpr int kMsgProbe = 0x10;       // MSG_PROBE, linux/socket.h: looks for a route and appends nothing
constexpr int kUdpGro = 104;          // UDP_GRO: also the type of its control message
constexpr size_t kLargest = 1 << 16;  // bytes of any datagram, also of one that UDP_GRO has put together
constexpr int kPatience = 200;        // milliseconds until a datagram sent to ourselves counts as lost

std::string bytes_of(const void* data, size_t n) { return std::string(static_cast<const char*>(data), n); }

std::string address_bytes(const in_addr& address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr = address;
  return bytes_of(&in, sizeof in);
}

std::string address_bytes(const in6_addr& address) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_addr = address;
  return bytes_of(&in, sizeof in);
}

template <class T>
T control_value(const cmsghdr* c) {
  T value{};
  memcpy(&value, CMSG_DATA(c), std::min(sizeof value, c->cmsg_len - CMSG_LEN(0)));
  return value;
}

/// What the socket has asked to be told of a datagram's headers. Returns the size of the pieces that UDP_GRO has put
/// together, or 0.
size_t take_control(msghdr& header, pb::nsr_sk_datagram& datagram) {
  size_t piece = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    const auto is = [&](int level, int type) { return c->cmsg_level == level && c->cmsg_type == type; };
    if (is(IPPROTO_IP, IP_PKTINFO)) datagram.set_to(address_bytes(control_value<in_pktinfo>(c).ipi_addr));
    if (is(IPPROTO_IP, IP_ORIGDSTADDR)) datagram.set_to(address_bytes(control_value<sockaddr_in>(c).sin_addr));
    if (is(IPPROTO_IPV6, IPV6_PKTINFO)) datagram.set_to(address_bytes(control_value<in6_pktinfo>(c).ipi6_addr));
    if (is(IPPROTO_IP, IP_TTL)) datagram.set_hops(control_value<uint32_t>(c));
    if (is(IPPROTO_IPV6, IPV6_HOPLIMIT)) datagram.set_hops(control_value<uint32_t>(c));
    if (is(IPPROTO_IP, IP_TOS)) datagram.set_traffic_class(control_value<uint8_t>(c));
    if (is(IPPROTO_IPV6, IPV6_TCLASS)) datagram.set_traffic_class(control_value<uint32_t>(c));
    if (is(IPPROTO_UDP, kUdpGro)) piece = control_value<uint32_t>(c);
  }
  return piece;
}

/// One peek at the current offset; its bytes, or -1 and errno.
ssize_t peek(int fd, std::string& room, pb::nsr_sk_datagram& datagram, size_t& piece) {
  alignas(cmsghdr) char control[1024];
  sockaddr_storage from{};
  iovec part{room.data(), room.size()};
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof from;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) return n;
  datagram.set_from(bytes_of(&from, header.msg_namelen));
  piece = take_control(header, datagram);
  return n;
}

// ---- restore

SocketAddress address_from(const std::string& bytes, const std::string& object) {
  SocketAddress a;
  if (bytes.size() != sizeof(sockaddr_in) && bytes.size() != sizeof(sockaddr_in6))
    throw Error(Failure::image, object, "a waiting datagram has an address of no family");
  memcpy(&a.storage, bytes.data(), bytes.size());
  a.length = static_cast<socklen_t>(bytes.size());
  if (a.storage.ss_family != (bytes.size() == sizeof(sockaddr_in) ? AF_INET : AF_INET6))
    throw Error(Failure::image, object, "a waiting datagram has an address of no family");
  return a;
}

bool is_multicast(const SocketAddress& a) {
  if (a.storage.ss_family == AF_INET)
    return IN_MULTICAST(ntohl(reinterpret_cast<const sockaddr_in&>(a.storage).sin_addr.s_addr));
  return IN6_IS_ADDR_MULTICAST(&reinterpret_cast<const sockaddr_in6&>(a.storage).sin6_addr);
}

/// The host itself where the socket is bound to every address; of the family that `sender` speaks.
SocketAddress loopback_if_any(const SocketAddress& bound, const SocketAddress& sender) {
  SocketAddress a = unmapped(bound);
  if (a.storage.ss_family == AF_INET6) {
    auto& in = reinterpret_cast<sockaddr_in6&>(a.storage);
    if (!IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr)) return a;
    in.sin6_addr = in6addr_loopback;
    if (sender.storage.ss_family == AF_INET6) return a;
  }
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port_of(bound));
  if (a.storage.ss_family == AF_INET) in.sin_addr = reinterpret_cast<const sockaddr_in&>(a.storage).sin_addr;
  if (in.sin_addr.s_addr == INADDR_ANY) in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memcpy(&a.storage, &in, sizeof in);
  a.length = sizeof in;
  return a;
}

uint32_t received_memory(int fd) {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof info;
  getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length);
  return info[SK_MEMINFO_RMEM_ALLOC];
}

/// Puts datagrams into the queue of one socket. Others may have its port, too (SO_REUSEADDR, SO_REUSEPORT): connected
/// to the sender it is the best match for what the sender sends.
class Refill {
 public:
  Refill(int fd, const pb::inet_sk_entry& sk, const std::string& object)
      : fd_(fd), sk_(sk), object_(object), bound_(local_address(fd)) {
    if (!sk.opts().so_bound_dev().empty()) set_device("");  // what we send comes in by the loopback device
  }
  Refill(const Refill&) = delete;
  Refill& operator=(const Refill&) = delete;
  ~Refill() {
    if (connected_) disconnect();
    // Ending a connection takes the device away as well.
    if (!sk_.opts().so_bound_dev().empty()) set_device(sk_.opts().so_bound_dev());
  }

  /// False when it did not come.
  bool put(const pb::nsr_sk_datagram& datagram) {
    const SocketAddress sender = address_from(datagram.from(), object_);
    const SocketAddress from = unmapped(sender), to = destination(datagram, sender, from);
    if (to.storage.ss_family != from.storage.ss_family) return false;
    const uint32_t before = received_memory(fd_);
    try {
      send_ip_packet(packet(datagram, from, to), kLockPassMark, object_);
    } catch (const Error& e) {
      log.info("%s", e.what());
      return false;
    }
    // The loopback device delivers in a softirq, which may have to wait for its turn.
    for (int i = 0; i < kPatience && received_memory(fd_) == before; i++) poll(nullptr, 0, 1);
    return received_memory(fd_) != before;
  }

 private:
  SocketAddress destination(const pb::nsr_sk_datagram& datagram, const SocketAddress& sender,
                            const SocketAddress& from) {
    SocketAddress to = loopback_if_any(bound_, from);
    const uint16_t port = htons(port_of(bound_));
    // A group's or a broadcast address would bring it to others as well.
    if (const SocketAddress told = told_destination(datagram); told.length != 0 && !is_multicast(told)) to = told;
    if (sk_.opts().reuseaddr() || sk_.opts().so_reuseport()) {
      if (connected_) disconnect();
      connected_ = connect(fd_, sender.get(), sender.length) == 0;
      if (connected_ && !datagram.has_to()) to = unmapped(local_address(fd_));
    }
    if (to.storage.ss_family == AF_INET)
      reinterpret_cast<sockaddr_in&>(to.storage).sin_port = port;
    else
      reinterpret_cast<sockaddr_in6&>(to.storage).sin6_port = port;
    return to;
  }

  SocketAddress told_destination(const pb::nsr_sk_datagram& datagram) const {
    return datagram.has_to() ? unmapped(address_from(datagram.to(), object_)) : SocketAddress{};
  }

  IpPacket packet(const pb::nsr_sk_datagram& datagram, const SocketAddress& from, const SocketAddress& to) const {
    IpPacket p;
    p.from = from;
    p.to = to;
    p.protocol = static_cast<uint8_t>(sk_.proto());
    p.hops = static_cast<uint8_t>(datagram.has_hops() ? datagram.hops() : p.hops);
    p.traffic_class = static_cast<uint8_t>(datagram.traffic_class());
    const auto length = static_cast<uint32_t>(sizeof(udphdr) + datagram.data().size());
    udphdr udp{};
    udp.source = htons(port_of(from));
    udp.dest = htons(port_of(to));
    // UDP-Lite has how much the checksum covers in this place, 0 for all (RFC 3828).
    udp.len = sk_.proto() == IPPROTO_UDPLITE ? 0 : htons(static_cast<uint16_t>(length));
    p.payload = bytes_of(&udp, sizeof udp) + datagram.data();
    const uint16_t sum = transport_checksum(from, to, p.protocol, length, p.payload);
    udp.check = htons(sum != 0 ? sum : 0xffff);  // 0 says that there is none
    memcpy(p.payload.data(), &udp, sizeof udp);
    return p;
  }

  void disconnect() {
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    if (connect(fd_, &nobody, sizeof nobody) != 0) log.warn("%s: it stays connected: error %d", object_.c_str(), errno);
    connected_ = false;
  }

  void set_device(const std::string& name) {
    if (setsockopt(fd_, SOL_SOCKET, SO_BINDTODEVICE, name.c_str(), static_cast<socklen_t>(name.size() + 1)) != 0)
      log.error("%s: it cannot be bound to device '%s': error %d", object_.c_str(), name.c_str(), errno);
  }

  int fd_;
  const pb::inet_sk_entry& sk_;
  const std::string& object_;
  const SocketAddress bound_;
  bool connected_ = false;
};

}  // namespace

void refuse_corked_data(int fd, const SocketAddress& local, const std::string& object) {
  if (port_of(local) == 0) return;  // it has never sent anything, and sendto(2) would give it a port
  // To port 0 nothing can be sent: EINVAL. Only when data waits already its own destination counts, and then a probe
  // appends nothing and sends nothing.
  SocketAddress nowhere;
  nowhere.storage.ss_family = local.storage.ss_family;
  nowhere.length = local.length;
  if (sendto(fd, nullptr, 0, kMsgProbe | MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL, nowhere.get(), nowhere.length) != 0)
    return;
  throw Error(Failure::unsupported, object,
              "it holds back data of an unfinished datagram (UDP_CORK, MSG_MORE), which the kernel does not give back",
              "try again when the program has finished the datagram");
}

void collect_datagrams(int fd, pb::nsr_sk_entry& extra, PeekGuard& guard, const std::string& object) {
  pollfd p{fd, POLLIN, 0};
  if (poll(&p, 1, 0) != 1) return;
  if (p.revents & POLLERR) {
    // A look at the queue would take it from the program.
    log.warn("%s: an error that waits to be told is lost, and datagrams not yet read", object.c_str());
    return;
  }
  const PeekOffset offset(fd, &guard);
  if (!offset.works()) {
    log.warn("%s: datagrams not yet read are lost, the kernel does not let them be looked at", object.c_str());
    return;
  }
  std::string room(kLargest, '\0');
  for (;;) {
    pb::nsr_sk_datagram datagram;
    size_t piece = 0;
    const ssize_t n = peek(fd, room, datagram, piece);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) throw_errno(Failure::unsupported, object, "looking at its waiting datagrams", errno);
    const auto length = static_cast<size_t>(n);
    if (piece == 0) piece = std::max<size_t>(length, 1);
    size_t at = 0;
    do {
      pb::nsr_sk_datagram& one = *extra.add_datagram();
      one = datagram;
      one.set_data(room.data() + at, std::min(piece, length - at));
      at += piece;
    } while (at < length);
  }
}

void refill_datagrams(int fd, const pb::inet_sk_entry& sk, const pb::nsr_sk_entry& extra, const std::string& object) {
  if (extra.datagram_size() == 0) return;
  size_t bytes = 0;
  for (const auto& datagram : extra.datagram()) bytes += datagram.data().size() + sizeof(msghdr);
  const RoomyBuffer room(fd, SO_RCVBUF, bytes, object);
  Refill refill(fd, sk, object);
  int lost = 0;
  for (const auto& datagram : extra.datagram())
    if (!refill.put(datagram)) lost++;
  if (lost > 0)
    log.warn("%s: %d of %d datagrams that waited to be read are lost", object.c_str(), lost, extra.datagram_size());
}

}  // namespace nsr
