#include "engine/sockets/inet_socket.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/connection_lock.h"
#include "engine/descriptors/options.h"
#include "engine/images/image_dir.h"
#include "engine/sockets/inet_address.h"
#include "engine/sockets/inet_options.h"
#include "engine/sockets/kinds.h"
#include "engine/sockets/multicast.h"
#include "engine/sockets/sock_diag.h"
#include "engine/sockets/socket_options.h"
#include "engine/sockets/tcp_ended.h"

namespace nsr {
namespace {

const Logger log("inet");

std::string object_of(const pb::inet_sk_entry& sk) { return format("socket:[%u]", sk.ino()); }

bool is_tcp(const pb::inet_sk_entry& sk) { return sk.type() == SOCK_STREAM; }

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

/// A connection that needs its stream in the images, as opposed to one that is listening, closed or to be closed.
bool is_live(const pb::inet_sk_entry& sk) {
  return is_tcp(sk) && sk.state() != kTcpListen && sk.state() != kTcpClose && sk.state() != kTcpTimeWait;
}

/// Was connected or tried to be.
bool has_ended(const pb::inet_sk_entry& sk) {
  return is_tcp(sk) && sk.state() == kTcpClose && sk.shutdown() == pb::BOTH;
}

void refuse_connection(const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                       const std::string& object) {
  throw Error(Failure::unsupported, object,
              format("it is a TCP connection from %s to %s (%s)", address_text(local).c_str(),
                     address_text(peer).c_str(), tcp_state_name(state)),
              "use --tcp-established to keep it, or --tcp-close to drop it");
}

bool waits_to_be_told(const pb::inet_sk_entry& sk, const pb::nsr_sk_entry& extra) {
  return has_ended(sk) && (extra.has_unread() || extra.has_error());
}

void drop_option(pb::nsr_sk_entry& extra, uint32_t level, uint32_t name) {
  auto& options = *extra.mutable_option();
  const auto is_it = [&](const pb::nsr_sk_option& o) { return o.level() == level && o.name() == name; };
  options.erase(std::remove_if(options.begin(), options.end(), is_it), options.end());
}

void warn_about_unread(int fd, const std::string& object) {
  char byte;
  const ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
  if (n >= 0) log.warn("%s: datagrams not yet read are lost, as a network may lose them", object.c_str());
}

void bind_socket(int fd, const SocketAddress& address, const std::string& object) {
  if (bind(fd, address.get(), address.length) == 0) return;
  const int error = errno;
  const char* remedy = error == EADDRINUSE      ? "stop the program that holds it (ss -nlp shows which)"
                       : error == EADDRNOTAVAIL ? "give that address to an interface of this host first"
                                                : "";
  throw_errno(Failure::environment, object, "binding it to " + address_text(address), error, remedy);
}

void shut_down(int fd, pb::sk_shutdown halves, const std::string& object) {
  if (halves == pb::NONE) return;
  const int how = halves == pb::BOTH ? SHUT_RDWR : halves == pb::READ ? SHUT_RD : SHUT_WR;
  // An unconnected socket answers ENOTCONN and shuts down all the same (inet_shutdown).
  if (shutdown(fd, how) != 0 && errno != ENOTCONN) throw_errno(Failure::environment, object, "shutting it down", errno);
}

}  // namespace

bool InetKind::match(const OpenFile& file) const {
  static constexpr const char* kProtocols[] = {"TCP",       "TCPv6", "UDP",   "UDPv6", "UDP-Lite",
                                               "UDPLITEv6", "RAW",   "RAWv6", "PING",  "PINGv6"};
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

uint8_t InetKind::shutdown_of(int fd, uint32_t ino, const pb::inet_sk_entry& sk) {
  if (is_tcp(sk)) {
    pollfd p{fd, POLLRDHUP, 0};
    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLRDHUP) || got_fin(sk.state())) return 0;
    return sk.state() == kTcpClose ? pb::BOTH : pb::READ;
  }
  if (sk.type() != SOCK_DGRAM || (sk.proto() != IPPROTO_UDP && sk.proto() != IPPROTO_UDPLITE)) return 0;
  const auto key = std::tuple(network_namespace_of(fd), sk.family(), sk.proto());
  auto it = udp_shutdowns_.find(key);
  if (it == udp_shutdowns_.end())
    it =
        udp_shutdowns_.emplace(key, nsr::udp_shutdowns(fd, static_cast<int>(sk.family()), static_cast<int>(sk.proto())))
            .first;
  const auto found = it->second.find(ino);
  return found == it->second.end() ? 0 : found->second;
}

void InetKind::dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) {
  const std::string object = file.describe();
  hold_connections(ctx);
  UniqueFd fd = ctx.borrow(file);
  pb::inet_sk_entry& sk = *entry.mutable_isk();
  entry.set_type(pb::INETSK);
  sk.set_id(entry.id());
  sk.set_ino(static_cast<uint32_t>(file.st.st_ino));
  sk.set_family(static_cast<uint32_t>(int_option(fd.get(), SOL_SOCKET, SO_DOMAIN).value_or(0)));
  sk.set_type(static_cast<uint32_t>(int_option(fd.get(), SOL_SOCKET, SO_TYPE).value_or(0)));
  sk.set_proto(static_cast<uint32_t>(int_option(fd.get(), SOL_SOCKET, SO_PROTOCOL).value_or(0)));
  const SocketAddress local = local_address(fd.get()), peer = find_peer(fd.get(), sk.ino());
  sk.set_state(peer.length ? kTcpEstablished : kTcpClose);
  sk.set_backlog(0);
  if (is_tcp(sk)) {
    const tcp_info info = tcp_state(fd.get(), object);
    sk.set_state(info.tcpi_state);
    if (info.tcpi_state == kTcpListen) {
      check_backlog(info, object, ctx.options());
      sk.set_backlog(info.tcpi_sacked);  // for a listener this is the limit of its backlog
    } else if (info.tcpi_state == kTcpSynSent && ctx.options().skip_in_flight) {
      sk.set_state(kTcpClose);
    }
    if (is_live(sk) && !ctx.options().tcp_close && !ctx.options().tcp_established)
      refuse_connection(local, peer, sk.state(), object);
  } else {
    warn_about_unread(fd.get(), object);
  }
  sk.set_src_port(port_of(local));
  sk.set_dst_port(port_of(peer));
  sk.set_flags(file.flags);
  address_words(static_cast<int>(sk.family()), local, *sk.mutable_src_addr());
  address_words(static_cast<int>(sk.family()), peer, *sk.mutable_dst_addr());
  *sk.mutable_fown() = ctx.owner_of(fd.get());
  *sk.mutable_opts() = collect_options(fd.get(), object);
  const FreshSocket& other = fresh(sk, object);
  collect_ip_options(fd.get(), other.fd(), sk);
  if (const std::string scope = scope_of(local); !scope.empty()) sk.set_ifname(scope);
  if (const uint8_t halves = shutdown_of(fd.get(), sk.ino(), sk)) sk.set_shutdown(static_cast<pb::sk_shutdown>(halves));

  pb::nsr_sk_entry extra;
  extra.set_id(entry.id());
  if (file.st.st_uid != 0 || file.st.st_gid != 0) {
    extra.set_uid(file.st.st_uid);
    extra.set_gid(file.st.st_gid);
  }
  collect_extra_options(fd.get(), other, extra);
  if (!is_tcp(sk)) collect_memberships(fd.get(), static_cast<int>(sk.family()), extra);
  if (has_ended(sk)) collect_ended(fd.get(), extra, object);
  // Of a connection it is what was agreed on, not what was asked for.
  if (is_live(sk) || has_ended(sk)) drop_option(extra, IPPROTO_TCP, TCP_MAXSEG);
  write_extra(extra, ctx.images());
  if (is_live(sk) && !ctx.options().tcp_close) held_.push_back({std::move(fd), sk.ino(), sk.state(), file.pid, object});
}

std::string InetKind::describe(const pb::file_entry& entry) const {
  const auto& sk = entry.isk();
  const char* protocol = is_tcp(sk)                      ? "TCP"
                         : sk.type() == SOCK_RAW         ? "raw IP"
                         : sk.proto() == IPPROTO_UDPLITE ? "UDP-Lite"
                         : sk.proto() == IPPROTO_UDP     ? "UDP"
                                                         : "ICMP";
  const std::string object = object_of(sk);
  std::string text = format("%s socket ", protocol);
  text += address_text(make_address(sk.family(), sk.src_addr(), sk.src_port(), "", object));
  if (sk.state() == kTcpListen) return text + format(" listening, backlog %u", sk.backlog());
  if (sk.dst_port() != 0)
    text += " to " + address_text(make_address(sk.family(), sk.dst_addr(), sk.dst_port(), "", object));
  return text;
}

void InetKind::open(const pb::file_entry& entry, RestoreContext& ctx) {
  const pb::inet_sk_entry& sk = entry.isk();
  const std::string object = object_of(sk);
  if (sk.family() != AF_INET && sk.family() != AF_INET6)
    throw Error(Failure::image, object, format("family %u is none of IP", sk.family()));
  const bool live = is_live(sk) && !ctx.options().tcp_close;
  UniqueFd fd =
      open_socket(static_cast<int>(sk.family()), static_cast<int>(sk.type()), static_cast<int>(sk.proto()), object);
  const auto& extra = extras_.of(sk.id(), ctx.images());
  // The owner of the inode is what groups of SO_REUSEPORT compare.
  if (extra.has_uid() && fchown(fd.get(), extra.uid(), extra.gid()) != 0)
    throw_errno(Failure::environment, object, "giving it to its owner", errno);
  apply_options(fd.get(), sk.opts(), object);
  apply_ip_options(fd.get(), sk, object);
  apply_extra_options(fd.get(), extra, OptionTime::early, object);
  // Connections that the dumped tree left in TIME_WAIT must not stand in the way of its port.
  if (is_tcp(sk) || sk.opts().reuseaddr())
    set_int_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR", object);
  if (sk.opts().so_reuseport()) set_int_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT", object);
  const bool bound = !is_tcp(sk) || sk.state() == kTcpListen || sk.state() == kTcpClose;
  if (live) {
    open_connection(fd.get(), sk, ctx, object);
  } else if (bound && !waits_to_be_told(sk, extra) && (sk.src_port() != 0 || !is_any(sk.src_addr()))) {
    const uint32_t port = sk.type() == SOCK_RAW ? 0 : sk.src_port();
    bind_socket(fd.get(), make_address(sk.family(), sk.src_addr(), port, sk.ifname(), object), object);
  }
  apply_memberships(fd.get(), extra, object);
  set_socket_flags(fd.get(), sk.flags(), object);
  opened_.push_back(sk.id());
  ctx.provide(sk.id(), std::move(fd));
}

void InetKind::finish_restore(RestoreContext& ctx) {
  // First, while all sockets let others have their port, too: connections of a listener have the same.
  start_listening(ctx);
  for (const uint32_t id : opened_) {
    const pb::inet_sk_entry& sk = ctx.entry(id)->isk();
    const std::string object = object_of(sk);
    const int fd = ctx.fd_of(id);
    const auto& extra = extras_.of(id, ctx.images());
    if (!is_tcp(sk) && sk.state() == kTcpEstablished) {
      const SocketAddress peer = make_address(sk.family(), sk.dst_addr(), sk.dst_port(), sk.ifname(), object);
      if (connect(fd, peer.get(), peer.length) != 0)
        throw_errno(Failure::environment, object, "connecting it to " + address_text(peer), errno);
    } else if (streams_.count(id)) {
      finish_connection(fd, sk, ctx, object);
    } else if (waits_to_be_told(sk, extra)) {
      restore_ended(fd, make_address(sk.family(), sk.src_addr(), sk.src_port(), sk.ifname(), object), extra, object);
    } else if (is_tcp(sk) && sk.state() != kTcpClose && sk.state() != kTcpListen) {
      shut_down(fd, pb::BOTH, object);  // --tcp-close: the task reads an end of file
    }
    if (is_tcp(sk)) apply_tcp_options(fd, sk, object);
    // Forced on for bind(2), taken away with repair mode.
    if (is_tcp(sk)) set_int_option(fd, SOL_SOCKET, SO_REUSEADDR, sk.opts().reuseaddr(), "SO_REUSEADDR", object);
    shut_down(fd, sk.shutdown(), object);
    apply_filter(fd, sk.opts(), object);
    apply_extra_options(fd, extra, OptionTime::late, object);
  }
}

void InetKind::start_listening(RestoreContext& ctx) {
  for (const uint32_t id : opened_) {
    const pb::inet_sk_entry& sk = ctx.entry(id)->isk();
    if (is_tcp(sk) && sk.state() == kTcpListen && listen(ctx.fd_of(id), static_cast<int>(sk.backlog())) != 0)
      throw_errno(Failure::environment, object_of(sk), "listening", errno,
                  "stop the program that listens there already");
  }
}

std::unique_ptr<Kind> make_inet_kind() { return std::make_unique<InetKind>(); }

}  // namespace nsr
