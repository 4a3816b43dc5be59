// What sock_diag(7) alone knows about a socket. Each query goes to the network namespace of a given socket.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/descriptors/net_namespace.h"

namespace nsr {

struct UnixRecord {
  uint32_t ino = 0;
  uint8_t type = 0;
  uint8_t state = 0;                  ///< TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE
  uint8_t shutdown = 0;               ///< 1 receive, 2 send
  std::string name;                   ///< sun_path without its end; a leading NUL says abstract
  uint32_t vfs_ino = 0, vfs_dev = 0;  ///< node of a name in the file system, kernel device encoding
  uint32_t peer = 0;                  ///< inode of the peer; 0 = none, gone, or not yet accepted
  std::vector<uint32_t> pending;  ///< a listener's connections not yet accepted: inodes of the clients, oldest first
  uint32_t backlog = 0;           ///< a listener's limit
};

struct NetlinkRecord {
  uint8_t protocol = 0, state = 0;
  uint32_t portid = 0, dst_portid = 0, dst_group = 0;
  std::vector<uint32_t> groups;  ///< bitmap, bit 0 of word 0 is group 1
};

struct PacketRecord {
  uint8_t type = 0;       ///< SOCK_RAW, SOCK_DGRAM
  uint16_t protocol = 0;  ///< in network order, as socket(2) takes it
  uint32_t flags = 0;     ///< PDI_* of linux/packet_diag.h
  uint32_t version = 0, reserve = 0, copy_threshold = 0, timestamp = 0, ifindex = 0;
  struct Membership {
    uint32_t ifindex = 0, type = 0;
    std::string address;
  };
  std::vector<Membership> memberships;
  struct Ring {
    uint32_t block_size = 0, block_count = 0, frame_size = 0, frame_count = 0, timeout = 0, private_size = 0,
             features = 0;
  };
  std::optional<Ring> rx, tx;
  std::optional<uint32_t> fanout;  ///< id | type << 16
};

struct TcpRecord {
  uint32_t ino = 0;      ///< 0: nobody has it open any more
  std::string md5_keys;  ///< of signatures (RFC 2385): an array of struct tcp_diag_md5sig
};

/// Asks for single TCP sockets; on a host with many a list of all takes long.
class TcpDiag {
 public:
  /// In the network namespace of socket `fd`. Throws Error(environment).
  explicit TcpDiag(int fd);
  ~TcpDiag();
  TcpDiag(TcpDiag&&) noexcept;
  /// The connection between these addresses in whatever state; ifindex: the device that it is bound to, or 0. No value
  /// when there is none.
  std::optional<TcpRecord> connection(const sockaddr_storage& local, const sockaddr_storage& peer,
                                      unsigned ifindex) const;

 private:
  struct State;
  std::unique_ptr<State> s_;
};
/// All listeners of AF_INET or AF_INET6, by inode.
std::unordered_map<uint32_t, TcpRecord> tcp_listeners(int fd, int family);

/// All sockets of the family in the network namespace of socket `fd`, by inode.
/// Throw Error(environment) when the kernel lacks sock_diag for that family.
std::unordered_map<uint32_t, UnixRecord> unix_sockets(int fd);
std::unordered_map<uint32_t, NetlinkRecord> netlink_sockets(int fd);
std::unordered_map<uint32_t, PacketRecord> packet_sockets(int fd);
/// Peers of the TCP sockets that are connecting (SYN_SENT): getpeername(2) does not tell them yet.
std::unordered_map<uint32_t, sockaddr_storage> connecting_peers(int fd, int family);
/// Shutdown bits (1 receive, 2 send) of UDP or UDP-Lite sockets; zero ones are left out.
std::unordered_map<uint32_t, uint8_t> udp_shutdowns(int fd, int family, int protocol);

}  // namespace nsr
