#include "engine/sockets/sock_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink_diag.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <functional>
#include <memory>

#include "engine/base/error.h"
#include "engine/descriptors/net_namespace.h"

namespace nsr {
namespace {

constexpr const char* kObject = "sock_diag";

struct FreeSocket {
  void operator()(nl_sock* s) const { nl_socket_free(s); }
};
struct FreeMessage {
  void operator()(nl_msg* m) const { nlmsg_free(m); }
};

using Handler = std::function<void(nlmsghdr*)>;

int on_record(nl_msg* message, void* handler) {
  (*static_cast<Handler*>(handler))(nlmsg_hdr(message));
  return NL_OK;
}

[[noreturn]] void fail(const char* family, int code) {
  throw Error(Failure::environment, kObject, std::string("listing the ") + family + " sockets: " + nl_geterror(code),
              "the kernel needs CONFIG_UNIX_DIAG, CONFIG_INET_DIAG, CONFIG_PACKET_DIAG and CONFIG_NETLINK_DIAG");
}

using NetlinkSocket = std::unique_ptr<nl_sock, FreeSocket>;

NetlinkSocket connect_to(int fd, const char* family) {
  NetlinkSocket sock(nl_socket_alloc());
  if (!sock) throw Error(Failure::environment, kObject, "out of memory");
  InNetworkNamespace there(network_namespace(fd));
  if (const int e = nl_connect(sock.get(), NETLINK_SOCK_DIAG); e < 0) fail(family, e);
  nl_socket_set_buffer_size(sock.get(), 1 << 20, 0);
  nl_socket_disable_auto_ack(sock.get());
  return sock;
}

/// One request and all that is answered. Negative: the code of libnl.
template <class Request>
int ask(nl_sock* sock, int flags, const Request& request, Handler& handler) {
  std::unique_ptr<nl_msg, FreeMessage> message(nlmsg_alloc_simple(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | flags));
  if (!message || nlmsg_append(message.get(), const_cast<Request*>(&request), sizeof request, 0) < 0)
    throw Error(Failure::environment, kObject, "out of memory");
  if (const int e = nl_send_auto(sock, message.get()); e < 0) return e;
  nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_record, &handler);
  return nl_recvmsgs_default(sock);
}

template <class Request>
void query(int fd, const char* family, const Request& request, Handler handler) {
  const NetlinkSocket sock = connect_to(fd, family);
  if (const int e = ask(sock.get(), NLM_F_DUMP, request, handler); e < 0) fail(family, e);
}

/// Calls f(type, payload, bytes) for each attribute behind a fixed part of the given size.
template <class F>
void each_attribute(nlmsghdr* header, int fixed, F f) {
  int left = nlmsg_attrlen(header, fixed);
  for (nlattr* a = nlmsg_attrdata(header, fixed); nla_ok(a, left); a = nla_next(a, &left))
    f(nla_type(a), nla_data(a), static_cast<size_t>(nla_len(a)));
}

uint32_t word(const void* data, size_t bytes) {
  uint32_t value = 0;
  memcpy(&value, data, bytes < sizeof value ? bytes : sizeof value);
  return value;
}

std::vector<uint32_t> words(const void* data, size_t bytes) {
  std::vector<uint32_t> list(bytes / sizeof(uint32_t));
  memcpy(list.data(), data, list.size() * sizeof(uint32_t));
  return list;
}

UnixRecord parse_unix(nlmsghdr* header) {
  const auto* m = static_cast<const unix_diag_msg*>(nlmsg_data(header));
  UnixRecord r;
  r.ino = m->udiag_ino;
  r.type = m->udiag_type;
  r.state = m->udiag_state;
  each_attribute(header, sizeof *m, [&](int type, const void* data, size_t n) {
    if (type == UNIX_DIAG_NAME) r.name.assign(static_cast<const char*>(data), n);
    if (type == UNIX_DIAG_PEER) r.peer = word(data, n);
    if (type == UNIX_DIAG_ICONS) r.pending = words(data, n);
    if (type == UNIX_DIAG_SHUTDOWN) r.shutdown = *static_cast<const uint8_t*>(data);
    if (type == UNIX_DIAG_VFS && n >= sizeof(unix_diag_vfs)) {
      const auto* vfs = static_cast<const unix_diag_vfs*>(data);
      r.vfs_ino = vfs->udiag_vfs_ino;
      r.vfs_dev = vfs->udiag_vfs_dev;
    }
    if (type == UNIX_DIAG_RQLEN && n >= sizeof(unix_diag_rqlen))
      r.backlog = static_cast<const unix_diag_rqlen*>(data)->udiag_wqueue;
  });
  // A path is as long as bind(2) was told; the kernel ends it with a NUL that is no part of it.
  if (!r.name.empty() && r.name[0] != '\0') r.name.resize(strnlen(r.name.c_str(), r.name.size()));
  return r;
}

PacketRecord::Ring parse_ring(const void* data) {
  const auto* d = static_cast<const packet_diag_ring*>(data);
  return {d->pdr_block_size, d->pdr_block_nr,    d->pdr_frame_size, d->pdr_frame_nr,
          d->pdr_retire_tmo, d->pdr_sizeof_priv, d->pdr_features};
}

PacketRecord parse_packet(nlmsghdr* header) {
  PacketRecord r;
  const auto* m = static_cast<const packet_diag_msg*>(nlmsg_data(header));
  r.type = m->pdiag_type;
  r.protocol = htons(m->pdiag_num);
  each_attribute(header, sizeof(packet_diag_msg), [&](int type, const void* data, size_t n) {
    if (type == PACKET_DIAG_INFO && n >= sizeof(packet_diag_info)) {
      const auto* d = static_cast<const packet_diag_info*>(data);
      r.ifindex = d->pdi_index;
      r.version = d->pdi_version;
      r.reserve = d->pdi_reserve;
      r.copy_threshold = d->pdi_copy_thresh;
      r.timestamp = d->pdi_tstamp;
      r.flags = d->pdi_flags;
    }
    if (type == PACKET_DIAG_MCLIST) {
      for (size_t at = 0; at + sizeof(packet_diag_mclist) <= n; at += sizeof(packet_diag_mclist)) {
        const auto* d = reinterpret_cast<const packet_diag_mclist*>(static_cast<const char*>(data) + at);
        const size_t length = std::min<size_t>(d->pdmc_alen, sizeof d->pdmc_addr);
        r.memberships.push_back(
            {d->pdmc_index, d->pdmc_type, std::string(reinterpret_cast<const char*>(d->pdmc_addr), length)});
      }
    }
    if (type == PACKET_DIAG_RX_RING && n >= sizeof(packet_diag_ring)) r.rx = parse_ring(data);
    if (type == PACKET_DIAG_TX_RING && n >= sizeof(packet_diag_ring)) r.tx = parse_ring(data);
    if (type == PACKET_DIAG_FANOUT) r.fanout = word(data, n);
  });
  return r;
}

TcpRecord parse_tcp(nlmsghdr* header) {
  const auto* m = static_cast<const inet_diag_msg*>(nlmsg_data(header));
  TcpRecord r;
  r.ino = m->idiag_inode;
  each_attribute(header, sizeof *m, [&](int type, const void* data, size_t n) {
    if (type == INET_DIAG_MD5SIG) r.md5_keys.assign(static_cast<const char*>(data), n);
  });
  return r;
}

/// The kernel tells of keys only together with TCP_INFO.
constexpr uint8_t kWithKeys = 1 << (INET_DIAG_INFO - 1);

/// Address and port as sock_diag has them, in network order.
void put_address(const sockaddr_storage& from, uint32_t* address, uint16_t& port) {
  if (from.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(from);
    memcpy(address, &in.sin_addr, sizeof in.sin_addr);
    port = in.sin_port;
  } else {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(from);
    memcpy(address, &in.sin6_addr, sizeof in.sin6_addr);
    port = in.sin6_port;
  }
}

}  // namespace

struct TcpDiag::State {
  NetlinkSocket sock;
};

TcpDiag::TcpDiag(int fd) : s_(std::make_unique<State>(connect_to(fd, "TCP"))) {}
TcpDiag::~TcpDiag() = default;
TcpDiag::TcpDiag(TcpDiag&&) noexcept = default;

std::optional<TcpRecord> TcpDiag::connection(const sockaddr_storage& local, const sockaddr_storage& peer,
                                             unsigned ifindex) const {
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<uint8_t>(local.ss_family);
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~0u;
  request.idiag_ext = kWithKeys;
  request.id.idiag_if = ifindex;
  put_address(local, request.id.idiag_src, request.id.idiag_sport);
  put_address(peer, request.id.idiag_dst, request.id.idiag_dport);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  std::optional<TcpRecord> found;
  Handler handler = [&](nlmsghdr* header) {
    // The kernel answers with a listener when there is no such connection.
    if (static_cast<const inet_diag_msg*>(nlmsg_data(header))->id.idiag_dport == request.id.idiag_dport)
      found = parse_tcp(header);
  };
  const int e = ask(s_->sock.get(), 0, request, handler);
  if (e < 0 && e != -NLE_OBJ_NOTFOUND) fail("TCP", e);
  return found;
}

std::unordered_map<uint32_t, TcpRecord> tcp_listeners(int fd, int family) {
  constexpr uint32_t kListen = 10;
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<uint8_t>(family);
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = 1u << kListen;
  request.idiag_ext = kWithKeys;
  std::unordered_map<uint32_t, TcpRecord> all;
  query(fd, "TCP", request, [&](nlmsghdr* header) {
    const TcpRecord r = parse_tcp(header);
    all.emplace(r.ino, r);
  });
  return all;
}

std::unordered_map<uint32_t, UnixRecord> unix_sockets(int fd) {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0u;
  request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN;
  std::unordered_map<uint32_t, UnixRecord> all;
  query(fd, "UNIX", request, [&](nlmsghdr* header) {
    UnixRecord r = parse_unix(header);
    const uint32_t ino = r.ino;
    all.emplace(ino, std::move(r));
  });
  return all;
}

std::unordered_map<uint32_t, NetlinkRecord> netlink_sockets(int fd) {
  netlink_diag_req request{};
  request.sdiag_family = AF_NETLINK;
  request.sdiag_protocol = NDIAG_PROTO_ALL;
  request.ndiag_show = NDIAG_SHOW_GROUPS;
  std::unordered_map<uint32_t, NetlinkRecord> all;
  query(fd, "netlink", request, [&](nlmsghdr* header) {
    const auto* m = static_cast<const netlink_diag_msg*>(nlmsg_data(header));
    NetlinkRecord r{m->ndiag_protocol, m->ndiag_state, m->ndiag_portid, m->ndiag_dst_portid, m->ndiag_dst_group, {}};
    each_attribute(header, sizeof *m, [&](int type, const void* data, size_t n) {
      if (type == NETLINK_DIAG_GROUPS) r.groups = words(data, n);
    });
    all.emplace(m->ndiag_ino, std::move(r));
  });
  return all;
}

std::unordered_map<uint32_t, PacketRecord> packet_sockets(int fd) {
  packet_diag_req request{};
  request.sdiag_family = AF_PACKET;
  request.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MCLIST | PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT;
  std::unordered_map<uint32_t, PacketRecord> all;
  query(fd, "packet", request, [&](nlmsghdr* header) {
    all.emplace(static_cast<const packet_diag_msg*>(nlmsg_data(header))->pdiag_ino, parse_packet(header));
  });
  return all;
}

std::unordered_map<uint32_t, sockaddr_storage> connecting_peers(int fd, int family) {
  constexpr uint32_t kSynSent = 2;
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<uint8_t>(family);
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = 1u << kSynSent;
  std::unordered_map<uint32_t, sockaddr_storage> all;
  query(fd, "TCP", request, [&](nlmsghdr* header) {
    const auto* m = static_cast<const inet_diag_msg*>(nlmsg_data(header));
    sockaddr_storage peer{};
    peer.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) {
      auto& in = reinterpret_cast<sockaddr_in&>(peer);
      in.sin_port = m->id.idiag_dport;
      memcpy(&in.sin_addr, m->id.idiag_dst, 4);
    } else {
      auto& in = reinterpret_cast<sockaddr_in6&>(peer);
      in.sin6_port = m->id.idiag_dport;
      memcpy(&in.sin6_addr, m->id.idiag_dst, 16);
    }
    all.emplace(m->idiag_inode, peer);
  });
  return all;
}

std::unordered_map<uint32_t, uint8_t> udp_shutdowns(int fd, int family, int protocol) {
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<uint8_t>(family);
  request.sdiag_protocol = static_cast<uint8_t>(protocol);
  request.idiag_ext = 1 << (INET_DIAG_SHUTDOWN - 1);
  request.idiag_states = ~0u;
  std::unordered_map<uint32_t, uint8_t> all;
  query(fd, "UDP", request, [&](nlmsghdr* header) {
    const auto* m = static_cast<const inet_diag_msg*>(nlmsg_data(header));
    each_attribute(header, sizeof *m, [&](int type, const void* data, size_t) {
      const uint8_t bits = *static_cast<const uint8_t*>(data);
      if (type == INET_DIAG_SHUTDOWN && bits != 0) all.emplace(m->idiag_inode, bits);
    });
  });
  return all;
}

}  // namespace nsr
