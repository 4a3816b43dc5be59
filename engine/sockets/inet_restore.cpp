// The restore of InetKind, but for live connections (inet_connection.cpp).
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/descriptors/options.h"
#include "engine/images/image_dir.h"
#include "engine/sockets/inet_address.h"
#include "engine/sockets/inet_entry.h"
#include "engine/sockets/inet_options.h"
#include "engine/sockets/inet_socket.h"
#include "engine/sockets/kinds.h"
#include "engine/sockets/multicast.h"
#include "engine/sockets/socket_options.h"
#include "engine/sockets/tcp_ended.h"
#include "engine/sockets/tcp_signatures.h"
#include "engine/sockets/udp_queue.h"

namespace nsr {
namespace {

bool waits_to_be_told(const pb::inet_sk_entry& sk, const pb::nsr_sk_entry& extra) {
  return has_ended(sk) && (extra.has_unread() || extra.has_error());
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

/// While it lives bind(2) of an address gives no port: of a socket that had one until it was disconnected.
class AddressWithoutPort {
 public:
  AddressWithoutPort(int fd, bool wanted, const std::string& object)
      : fd_(wanted ? fd : -1), before_(int_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT).value_or(0)) {
    if (wanted) set_int_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT", object);
  }
  AddressWithoutPort(const AddressWithoutPort&) = delete;
  AddressWithoutPort& operator=(const AddressWithoutPort&) = delete;
  ~AddressWithoutPort() {
    if (fd_ >= 0) setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &before_, sizeof before_);
  }

 private:
  int fd_, before_;
};

}  // namespace

std::string InetKind::describe(const pb::file_entry& entry) const {
  const auto& sk = entry.isk();
  const char* protocol = is_multipath(sk)                ? "multipath TCP"
                         : is_tcp(sk)                    ? "TCP"
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
  const UserMap& users = ctx.users();
  if (extra.has_uid() && fchown(fd.get(), users.uids.outer(extra.uid()), users.gids.outer(extra.gid())) != 0)
    throw_errno(Failure::environment, object, "giving it to its owner", errno);
  apply_options(fd.get(), sk.opts(), object);
  apply_ip_options(fd.get(), sk, object);
  apply_extra_options(fd.get(), extra, OptionTime::early, object);
  apply_md5_keys(fd.get(), sk.family(), extra, object);
  // Connections that the dumped tree left in TIME_WAIT must not stand in the way of its port.
  if (is_tcp(sk) || sk.opts().reuseaddr())
    set_int_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR", object);
  if (sk.opts().so_reuseport()) set_int_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT", object);
  const bool bound = !is_tcp(sk) || sk.state() == kTcpListen || sk.state() == kTcpClose;
  if (live) {
    open_connection(fd.get(), sk, ctx, object);
  } else if (bound && !waits_to_be_told(sk, extra) && (sk.src_port() != 0 || !is_any(sk.src_addr()))) {
    const uint32_t port = sk.type() == SOCK_RAW ? 0 : sk.src_port();
    const AddressWithoutPort guard(fd.get(), port == 0 && (is_tcp(sk) || is_udp(sk)), object);
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
  // Before a connection keeps out what others have sent.
  for (const uint32_t id : opened_)
    if (const auto& sk = ctx.entry(id)->isk(); is_udp(sk)) {
      refill_datagrams(ctx.fd_of(id), sk, extras_.of(id, ctx.images()), object_of(sk));
      ctx.make_room();
    }
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
      restored_.push_back({UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)), sk, &extra, {}});
      continue;
    } else if (waits_to_be_told(sk, extra)) {
      restore_ended(fd, make_address(sk.family(), sk.src_addr(), sk.src_port(), sk.ifname(), object), extra, object);
    } else if (is_tcp(sk) && sk.state() != kTcpClose && sk.state() != kTcpListen) {
      shut_down(fd, pb::BOTH, object);  // --tcp-close: the task reads an end of file
    }
    complete(fd, sk, extra, object);
    ctx.make_room();
  }
}

void InetKind::complete(int fd, const pb::inet_sk_entry& sk, const pb::nsr_sk_entry& extra, const std::string& object) {
  if (is_tcp(sk)) apply_tcp_options(fd, sk, object);
  // Forced on for bind(2), taken away with repair mode; raw sockets have it from the start.
  set_int_option(fd, SOL_SOCKET, SO_REUSEADDR, sk.opts().reuseaddr(), "SO_REUSEADDR", object);
  shut_down(fd, sk.shutdown(), object);
  apply_filter(fd, sk.opts(), object);
  apply_extra_options(fd, extra, OptionTime::late, object);
}

void InetKind::start_listening(RestoreContext& ctx) {
  for (const uint32_t id : opened_) {
    const pb::inet_sk_entry& sk = ctx.entry(id)->isk();
    if (is_tcp(sk) && sk.state() == kTcpListen && listen(ctx.fd_of(id), static_cast<int>(sk.backlog())) != 0)
      throw_errno(Failure::environment, object_of(sk), "listening", errno,
                  "stop the program that listens there already");
    ctx.make_room();
  }
}

std::unique_ptr<Kind> make_inet_kind() { return std::make_unique<InetKind>(); }

}  // namespace nsr
