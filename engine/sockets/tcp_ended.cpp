#include "engine/sockets/tcp_ended.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/connection_lock.h"
#include "engine/sockets/peek_offset.h"
#include "engine/sockets/tcp_stream.h"

namespace nsr {
namespace {

const Logger log("tcp");
constexpr uint16_t kNobodysPort = 9;       // discard
constexpr uint32_t kFirstSequence = 1000;  // any will do

/// The host itself, in the protocol that the local address speaks.
SocketAddress nobody(const SocketAddress& local) {
  SocketAddress peer = local;
  if (local.storage.ss_family == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(peer.storage);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in.sin_port = htons(kNobodysPort);
    return peer;
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(peer.storage);
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&in.sin6_addr);
  in.sin6_port = htons(kNobodysPort);
  const uint32_t loopback = htonl(INADDR_LOOPBACK);
  if (mapped)
    memcpy(&in.sin6_addr.s6_addr[12], &loopback, 4);
  else
    in.sin6_addr = in6addr_loopback;
  return peer;
}

bool was_connected(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  // Whatever the two ends agreed on stays noted.
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
         (info.tcpi_options != 0 || info.tcpi_bytes_acked != 0 || info.tcpi_bytes_received != 0);
}

TcpStream stream_with(const std::string& unread) {
  TcpStream stream;
  stream.in = unread;
  stream.info.set_inq_len(static_cast<uint32_t>(unread.size()));
  stream.info.set_inq_seq(kFirstSequence + static_cast<uint32_t>(unread.size()));
  stream.info.set_outq_len(0);
  stream.info.set_outq_seq(kFirstSequence);
  stream.info.set_unsq_len(0);
  stream.info.set_opt_mask(TCPI_OPT_SACK);
  stream.info.set_snd_wscale(0);
  stream.info.set_mss_clamp(536);
  return stream;
}

void end_connection(int fd, const SocketAddress& local, const pb::nsr_sk_entry& extra, const std::string& object) {
  const SocketAddress peer = nobody(local);
  const uint32_t state = extra.error() == ECONNREFUSED ? kTcpSynSent : kTcpEstablished;
  const TcpStream stream = stream_with(extra.unread());
  restore_tcp_stream(fd, local, peer, state, stream, object);
  resume_tcp_stream(fd, local, peer, state, stream, object);
  TcpSegment reset;
  reset.from = peer;
  reset.to = local;
  reset.sequence = stream.info.inq_seq();
  reset.acknowledged = stream.info.outq_seq();
  reset.rst = true;
  inject_segment(reset, kLockPassMark, object);
  // Asking for the error takes it.
  if (!extra.has_error()) int_option(fd, SOL_SOCKET, SO_ERROR);
}

}  // namespace

void collect_ended(int fd, pb::nsr_sk_entry& extra, PeekGuard& guard, const std::string& object) {
  int length = 0;
  if (ioctl(fd, SIOCINQ, &length) == 0 && length > 0) {
    const PeekOffset offset(fd, &guard);
    std::string unread(static_cast<size_t>(length), '\0');
    const ssize_t n = recv(fd, unread.data(), unread.size(), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0) throw_errno(Failure::unsupported, object, "reading its receive queue", errno);
    unread.resize(static_cast<size_t>(n));
    extra.set_unread(std::move(unread));
  }
  pollfd p{fd, 0, 0};
  if (poll(&p, 1, 0) == 1 && p.revents & POLLERR) extra.set_error(was_connected(fd) ? ECONNRESET : ECONNREFUSED);
}

void restore_ended(int fd, const SocketAddress& local, const pb::nsr_sk_entry& extra, const std::string& object) {
  if (!extra.has_unread() && !extra.has_error()) return;
  try {
    end_connection(fd, local, extra, object);
  } catch (const Error& e) {
    log.warn("%s; what waited in it when its connection ended is lost", e.what());
  }
}

}  // namespace nsr
