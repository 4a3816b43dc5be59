// The dump of InetKind, but for the streams of live connections (inet_connection.cpp).
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/sockets/inet_address.h"
#include "engine/sockets/inet_entry.h"
#include "engine/sockets/inet_options.h"
#include "engine/sockets/inet_socket.h"
#include "engine/sockets/multicast.h"
#include "engine/sockets/sock_diag.h"
#include "engine/sockets/socket_options.h"
#include "engine/sockets/tcp_checks.h"
#include "engine/sockets/tcp_ended.h"
#include "engine/sockets/tcp_signatures.h"
#include "engine/sockets/udp_queue.h"

namespace nsr {
namespace {

const Logger log("inet");

tcp_info tcp_state(int fd, const std::string& object) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
    throw_errno(Failure::unsupported, object, "reading TCP_INFO", errno);
  return info;
}

/// What is on the way to a listening socket has no descriptor and so cannot be taken along.
void check_backlog(const tcp_info& info, const std::string& object, const FileOptions& options) {
  if (info.tcpi_unacked == 0 || options.skip_in_flight) return;
  throw Error(Failure::unsupported, object,
              format("%u connections wait in its backlog to be accepted", info.tcpi_unacked),
              "use --skip-in-flight to leave them behind");
}

void drop_option(pb::nsr_sk_entry& extra, uint32_t level, uint32_t name) {
  auto& options = *extra.mutable_option();
  const auto is_it = [&](const pb::nsr_sk_option& o) { return o.level() == level && o.name() == name; };
  options.erase(std::remove_if(options.begin(), options.end(), is_it), options.end());
}

}  // namespace

bool InetKind::match(const OpenFile& file) const {
  static constexpr const char* kProtocols[] = {"TCP",       "TCPv6", "UDP",   "UDPv6", "UDP-Lite", "MPTCP",
                                               "UDPLITEv6", "RAW",   "RAWv6", "PING",  "PINGv6",   "MPTCPv6"};
  const std::string protocol = socket_protocol(file);
  for (const char* p : kProtocols)
    if (protocol == p) return true;
  return false;
}

const FreshSocket& InetKind::fresh(const pb::inet_sk_entry& sk, const std::string& object) {
  FreshSocket& known = fresh_[{sk.family(), sk.type(), sk.proto()}];
  // A ping socket is for the groups of a sysctl only; a UDP socket has the same fresh options.
  const bool ping = sk.type() == SOCK_DGRAM && (sk.proto() == IPPROTO_ICMP || sk.proto() == IPPROTO_ICMPV6);
  if (!known)
    known = FreshSocket(open_socket(static_cast<int>(sk.family()), static_cast<int>(sk.type()),
                                    ping ? 0 : static_cast<int>(sk.proto()), object));
  return known;
}

uint8_t InetKind::shutdown_of(int fd, const pb::inet_sk_entry& sk) {
  if (is_tcp(sk)) {
    pollfd p{fd, POLLRDHUP, 0};
    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLRDHUP) || got_fin(sk.state())) return 0;
    return sk.state() == kTcpClose ? pb::BOTH : pb::READ;
  }
  if (!is_udp(sk)) return 0;
  const auto key = std::tuple(network_namespace_of(fd), sk.family(), sk.proto());
  auto it = udp_shutdowns_.find(key);
  if (it == udp_shutdowns_.end())
    it =
        udp_shutdowns_.emplace(key, nsr::udp_shutdowns(fd, static_cast<int>(sk.family()), static_cast<int>(sk.proto())))
            .first;
  const auto found = it->second.find(sk.ino());
  return found == it->second.end() ? 0 : found->second;
}

const TcpRecord& InetKind::listener(int fd, const pb::inet_sk_entry& sk) {
  const auto key = std::pair(network_namespace_of(fd), sk.family());
  auto it = listeners_.find(key);
  if (it == listeners_.end()) it = listeners_.emplace(key, tcp_listeners(fd, static_cast<int>(sk.family()))).first;
  return it->second[sk.ino()];
}

InetKind::Draft InetKind::draft(const OpenFile& file, DumpContext& ctx) {
  const std::string object = file.describe();
  Draft d{ctx.borrow(file), {}, {}};
  const int fd = d.fd.get();
  d.sk.set_ino(static_cast<uint32_t>(file.st.st_ino));
  d.sk.set_family(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_DOMAIN).value_or(0)));
  d.sk.set_type(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_TYPE).value_or(0)));
  d.sk.set_proto(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_PROTOCOL).value_or(0)));
  d.sk.set_flags(file.flags);
  *d.sk.mutable_fown() = ctx.owner_of(fd);
  *d.sk.mutable_opts() = collect_options(fd, object);
  const FreshSocket& other = fresh(d.sk, object);
  collect_ip_options(fd, other.fd(), d.sk);
  const uint32_t uid = ctx.users().uids.inner(file.st.st_uid), gid = ctx.users().gids.inner(file.st.st_gid);
  if (uid != 0 || gid != 0) {
    d.extra.set_uid(uid);
    d.extra.set_gid(gid);
  }
  collect_extra_options(fd, other, d.extra);
  // What a listener accepts is no member of its group, but has the option.
  if (d.sk.opts().so_reuseport() && peer_address(fd).length == 0)
    groups_.push_back({UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)), object});
  if (is_tcp(d.sk) && !is_multipath(d.sk)) refuse_upper_layers(upper_layers(fd), object);
  if (!is_tcp(d.sk)) collect_memberships(fd, static_cast<int>(d.sk.family()), d.extra);
  return d;
}

void InetKind::collect_tcp_state(Draft& d, const SocketAddress& local, const SocketAddress& peer,
                                 const std::string& object, const FileOptions& options) {
  const int fd = d.fd.get();
  const tcp_info info = tcp_state(fd, object);
  d.sk.set_state(info.tcpi_state);
  if (info.tcpi_state == kTcpListen) {
    check_backlog(info, object, options);
    d.sk.set_backlog(info.tcpi_sacked);  // for a listener this is the limit of its backlog
    collect_md5_keys(listener(fd, d.sk), d.extra);
  } else if (info.tcpi_state == kTcpSynSent && options.skip_in_flight) {
    d.sk.set_state(kTcpClose);
  }
  if (is_live(d.sk) && is_multipath(d.sk))
    throw Error(Failure::unsupported, object,
                "it is a connection of multipath TCP, whose subflows the kernel does not let be rebuilt");
  if (is_live(d.sk) && !options.tcp_close && !options.tcp_established)
    refuse_connection(fd, local, peer, d.sk.state(), object);
  if (!options.tcp_close) refuse_signed_end(d.extra, d.sk.state(), object);
}

void InetKind::collect_queue(Draft& d, const SocketAddress& local, const std::string& object) {
  const int fd = d.fd.get();
  if (is_udp(d.sk)) {
    refuse_corked_data(fd, local, object);
    collect_datagrams(fd, d.extra, *peeks_, object);
  } else if (!is_tcp(d.sk)) {
    if (has_unread(fd)) log.warn("%s: packets not yet read are lost, as a network may lose them", object.c_str());
  } else if (has_ended(d.sk)) {
    collect_ended(fd, d.extra, *peeks_, object);
  }
  // Of a connection it is what was agreed on, not what was asked for.
  if (is_live(d.sk) || has_ended(d.sk)) drop_option(d.extra, IPPROTO_TCP, TCP_MAXSEG);
}

void InetKind::dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) {
  const std::string object = file.describe();
  hold_connections(ctx);
  if (!peeks_) peeks_.emplace(ctx.parking());
  const auto ahead = ahead_.find(file.st.st_ino);
  const bool known = ahead != ahead_.end();
  Draft d = known ? std::move(ahead->second) : draft(file, ctx);
  if (known) ahead_.erase(ahead);
  pb::inet_sk_entry& sk = d.sk;
  sk.set_id(entry.id());
  d.extra.set_id(entry.id());
  const SocketAddress local = local_address(d.fd.get()), peer = find_peer(d.fd.get(), sk.ino());
  if (is_tcp(sk) && peer.length && locked_ && !known) hold_late(d, local, peer, ctx);
  sk.set_state(peer.length ? kTcpEstablished : kTcpClose);
  sk.set_backlog(0);
  if (is_tcp(sk)) collect_tcp_state(d, local, peer, object, ctx.options());
  sk.set_src_port(port_of(local));
  sk.set_dst_port(port_of(peer));
  address_words(static_cast<int>(sk.family()), local, *sk.mutable_src_addr());
  address_words(static_cast<int>(sk.family()), peer, *sk.mutable_dst_addr());
  if (const std::string scope = scope_of(local); !scope.empty()) sk.set_ifname(scope);
  if (const uint8_t halves = shutdown_of(d.fd.get(), sk)) sk.set_shutdown(static_cast<pb::sk_shutdown>(halves));
  collect_queue(d, local, object);
  write_extra(d.extra, ctx.images());
  entry.set_type(pb::INETSK);
  if (is_live(sk) && !ctx.options().tcp_close)
    held_.push_back({std::move(d.fd), sk.ino(), sk.state(), file.pid, object});
  *entry.mutable_isk() = std::move(sk);
}

void InetKind::check_groups() {
  if (!refuse_steered_groups(groups_))
    log.warn("%s: whether a BPF program steers its SO_REUSEPORT group cannot be seen here; it would be lost",
             groups_.front().object.c_str());
  groups_.clear();
}

void InetKind::finish_dump(DumpContext& ctx) {
  peeks_.reset();
  check_groups();
  read_streams(ctx);
}

}  // namespace nsr
