// The live TCP connections of InetKind: dump, silence, restore.
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "engine/base/error.h"
#include "engine/descriptors/connection_lock.h"
#include "engine/descriptors/net_namespace.h"
#include "engine/descriptors/options.h"
#include "engine/images/image_dir.h"
#include "engine/sockets/inet_entry.h"
#include "engine/sockets/inet_socket.h"
#include "engine/sockets/raw_peer.h"
#include "engine/sockets/sock_diag.h"
#include "engine/sockets/tcp_signatures.h"

namespace nsr {
namespace {

bool speaks_tcp(const OpenFile& file) {
  const std::string protocol = socket_protocol(file);
  return protocol == "TCP" || protocol == "TCPv6";
}

SocketAddress local_of(const pb::inet_sk_entry& sk, const std::string& object) {
  return make_address(sk.family(), sk.src_addr(), sk.src_port(), sk.ifname(), object);
}

SocketAddress peer_of(const pb::inet_sk_entry& sk, const std::string& object) {
  return make_address(sk.family(), sk.dst_addr(), sk.dst_port(), sk.ifname(), object);
}

TcpStream read_image(const pb::inet_sk_entry& sk, ImageDir& images) {
  TcpStream stream;
  ImageReader image = images.require(Img::tcp_stream, sk.ino());
  image.one(stream.info);
  if (image.left() != uint64_t{stream.info.inq_len()} + stream.info.outq_len())
    throw Error(Failure::image, image.name(), "its queues are not as long as it says");
  stream.in = image.raw(stream.info.inq_len());
  stream.out = image.raw(stream.info.outq_len());
  return stream;
}

/// Connections of one network namespace.
struct Together {
  std::vector<Connection> connections;
  std::vector<int> sockets;
  std::vector<pb::nsr_sk_entry*> extras;

  void add(const Connection& connection, int fd, pb::nsr_sk_entry& extra) {
    connections.push_back(connection);
    sockets.push_back(fd);
    extras.push_back(&extra);
  }
};

void collect_keys(const Together& all) {
  const TcpDiag diag(all.sockets[0]);
  for (size_t i = 0; i < all.sockets.size(); i++) {
    const auto ifindex = static_cast<unsigned>(int_option(all.sockets[i], SOL_SOCKET, SO_BINDTOIFINDEX).value_or(0));
    const auto record = diag.connection(all.connections[i].local, all.connections[i].peer, ifindex);
    if (record) collect_md5_keys(*record, *all.extras[i]);
  }
}

constexpr size_t kMostInMemory = 64 << 20;

void write_image(const TcpStream& stream, uint32_t ino, ImageDir& images) {
  ImageWriter image = images.create(Img::tcp_stream, ino);
  image.write(stream.info);
  image.raw(stream.in.data(), stream.in.size());
  image.raw(stream.out.data(), stream.out.size());
  image.finish();
}

}  // namespace

SocketAddress InetKind::find_peer(int fd, uint32_t ino) {
  SocketAddress peer = peer_address(fd);
  tcp_info info{};
  socklen_t length = sizeof info;
  if (peer.length != 0) return peer;
  const int type = int_option(fd, SOL_SOCKET, SO_TYPE).value_or(0);
  const int protocol = int_option(fd, SOL_SOCKET, SO_PROTOCOL).value_or(0);
  const int family = int_option(fd, SOL_SOCKET, SO_DOMAIN).value_or(0);
  if (type == SOCK_RAW || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
    return raw_peer(fd, family, type, ino).value_or(peer);
  if (type != SOCK_STREAM) return peer;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 || info.tcpi_state != kTcpSynSent) return peer;
  const auto connecting = connecting_peers(fd, family);
  const auto it = connecting.find(ino);
  if (it == connecting.end()) return peer;
  peer.storage = it->second;
  peer.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  return peer;
}

void InetKind::hold_connections(DumpContext& ctx) {
  if (locked_ || !ctx.options().tcp_established || ctx.options().tcp_close) return;
  locked_ = true;
  // All that packets do not change comes first, so that the network need not be held for it.
  std::map<uint64_t, Together> by_namespace;
  for (const OpenFile& file : ctx.all_open_files()) {
    if (!speaks_tcp(file) || ahead_.count(file.st.st_ino)) continue;
    Draft& d = ahead_.emplace(file.st.st_ino, draft(file, ctx)).first->second;
    const SocketAddress local = local_address(d.fd.get()), peer = find_peer(d.fd.get(), d.sk.ino());
    if (peer.length == 0) continue;
    by_namespace[network_namespace_of(d.fd.get())].add({local.storage, peer.storage}, d.fd.get(), d.extra);
  }
  if (by_namespace.empty()) return;
  for (const auto& [net, held] : by_namespace) collect_keys(held);
  check_groups();
  // First the guard, which must not have a copy of what the lock lives by.
  guard_ = std::make_unique<TcpGuard>(ctx.parking());
  if (ctx.connection_lock() == nullptr) return;
  // All at once: one change of the firewall, after which none moves on.
  for (const auto& [net, held] : by_namespace) ctx.connection_lock()->hold(held.connections, held.sockets[0]);
}

void InetKind::hold_late(Draft& d, const SocketAddress& local, const SocketAddress& peer, DumpContext& ctx) {
  Together one;
  one.add({local.storage, peer.storage}, d.fd.get(), d.extra);
  collect_keys(one);
  if (!guard_) guard_ = std::make_unique<TcpGuard>(ctx.parking());
  if (ctx.connection_lock() != nullptr) ctx.connection_lock()->hold(one.connections, d.fd.get());
}

std::vector<TcpGuard::Job> InetKind::jobs() const {
  std::vector<TcpGuard::Job> list;
  for (const Held& c : held_) list.push_back({c.fd.get(), c.state, c.holder, c.object});
  return list;
}

void InetKind::read_streams(DumpContext& ctx) {
  if (held_.empty()) return;
  size_t bytes = 0;
  guard_->read(jobs(), [&](size_t i, TcpStream stream) {
    bytes += stream.in.size() + stream.out.size();
    // A file for each takes longer than to read them: later, as long as that costs little memory.
    if (bytes <= kMostInMemory)
      streams_.emplace(held_[i].ino, std::move(stream));
    else
      write_image(stream, held_[i].ino, ctx.images());
  });
}

void InetKind::write_last(DumpContext& ctx) {
  for (const auto& [ino, stream] : streams_) write_image(stream, ino, ctx.images());
  streams_.clear();
}

void InetKind::before_kill(DumpContext&) {
  if (guard_) guard_->mute(jobs());
}

void InetKind::hold_connections(RestoreContext& ctx) {
  if (locked_ || ctx.connection_lock() == nullptr) return;
  locked_ = true;
  std::vector<Connection> connections;
  for (const pb::file_entry* entry : ctx.entries()) {
    if (entry->type() != pb::INETSK || entry->isk().type() != SOCK_STREAM || entry->isk().dst_port() == 0) continue;
    const std::string object = format("socket:[%u]", entry->isk().ino());
    connections.push_back({local_of(entry->isk(), object).storage, peer_of(entry->isk(), object).storage});
  }
  const UniqueFd here = open_socket(AF_INET, SOCK_DGRAM, 0, "network lock");
  ctx.connection_lock()->hold(connections, here.get());
}

void InetKind::open_connection(int fd, const pb::inet_sk_entry& sk, RestoreContext& ctx, const std::string& object) {
  hold_connections(ctx);
  const TcpStream& stream = streams_[sk.id()] = read_image(sk, ctx.images());
  restore_tcp_stream(fd, local_of(sk, object), peer_of(sk, object), sk.state(), stream, object);
}

void InetKind::before_release() {
  for (Restored& r : restored_) {
    const InNetworkNamespace there(network_namespace(r.fd.get()));
    const std::string object = object_of(r.sk);
    const SocketAddress local = local_of(r.sk, object), peer = peer_of(r.sk, object);
    const TcpStream& stream = streams_.at(r.sk.id());
    resume_tcp_stream(r.fd.get(), local, peer, r.sk.state(), stream, object);
    r.nudge = make_nudge(r.fd.get(), local, peer, r.sk.state(), stream);
    complete(r.fd.get(), r.sk, *r.extra, object);
    streams_.erase(r.sk.id());
  }
}

void InetKind::after_release() {
  for (const Restored& r : restored_) {
    const InNetworkNamespace there(network_namespace(r.fd.get()));
    push_tcp_queue(r.fd.get(), r.nudge);
  }
  restored_.clear();
}

InetKind::~InetKind() {
  for (const Restored& r : restored_) silence_tcp_connection(r.fd.get());
}

}  // namespace nsr
