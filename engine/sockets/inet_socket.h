// IPv4 and IPv6 sockets: TCP, UDP, UDP-Lite, raw and ICMP. One object a dump or a restore; its halves are in
// inet_dump.cpp and inet_restore.cpp, live TCP connections in inet_connection.cpp.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/descriptors/kind.h"
#include "engine/sockets/peek_offset.h"
#include "engine/sockets/reuseport_program.h"
#include "engine/sockets/sock_diag.h"
#include "engine/sockets/socket_base.h"
#include "engine/sockets/socket_options.h"
#include "engine/sockets/tcp_guard.h"

namespace nsr {

class InetKind : public Kind {
 public:
  /// Of a restore that failed: no peer hears of it.
  ~InetKind() override;
  const char* name() const override { return "IP socket"; }
  bool match(const OpenFile& file) const override;
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override;
  /// Reads the streams of the connections that are kept; refuses groups that a program steers.
  void finish_dump(DumpContext& ctx) override;
  void write_last(DumpContext& ctx) override;
  /// Connections that are kept must not say good-bye to their peers.
  void before_kill(DumpContext& ctx) override;
  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::INETSK; }
  std::string describe(const pb::file_entry& entry) const override;
  void open(const pb::file_entry& entry, RestoreContext& ctx) override;
  /// Sockets start to listen when all are bound, and get their real SO_REUSEADDR, filters and shutdown halves then.
  void finish_restore(RestoreContext& ctx) override;
  /// Connections leave repair mode as late as may be: before that the death of the engine tells their peers nothing.
  void before_release() override;
  /// What waits in send queues goes out at once, not at the next retransmission.
  void after_release() override;

 private:
  /// A new socket to compare options with, one a kind.
  const FreshSocket& fresh(const pb::inet_sk_entry& sk, const std::string& object);
  /// What a dump knows of a socket before its network is held: what no packet changes.
  struct Draft {
    UniqueFd fd;
    pb::inet_sk_entry sk;
    pb::nsr_sk_entry extra;
  };
  Draft draft(const OpenFile& file, DumpContext& ctx);
  void collect_tcp_state(Draft& d, const SocketAddress& local, const SocketAddress& peer, const std::string& object,
                         const FileOptions& options);
  void collect_queue(Draft& d, const SocketAddress& local, const std::string& object);
  uint8_t shutdown_of(int fd, const pb::inet_sk_entry& sk);
  const TcpRecord& listener(int fd, const pb::inet_sk_entry& sk);

  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, FreshSocket> fresh_;
  std::unordered_map<ino_t, Draft> ahead_;  ///< by inode, until their turn
  std::map<std::pair<uint64_t, uint32_t>, std::unordered_map<uint32_t, TcpRecord>> listeners_;
  std::map<std::tuple<uint64_t, uint32_t, uint32_t>, std::unordered_map<uint32_t, uint8_t>> udp_shutdowns_;
  /// Also of a socket that is still connecting, and of those without ports.
  SocketAddress find_peer(int fd, uint32_t ino);
  void start_listening(RestoreContext& ctx);
  void hold_connections(DumpContext& ctx);
  /// One that no task has open: it waits in a queue of a UNIX socket.
  void hold_late(Draft& d, const SocketAddress& local, const SocketAddress& peer, DumpContext& ctx);
  void hold_connections(RestoreContext& ctx);
  void open_connection(int fd, const pb::inet_sk_entry& sk, RestoreContext& ctx, const std::string& object);
  /// What a socket gets when it listens or is connected.
  static void complete(int fd, const pb::inet_sk_entry& sk, const pb::nsr_sk_entry& extra, const std::string& object);

  void read_streams(DumpContext& ctx);
  void check_groups();
  std::vector<SteeredSocket> groups_;  ///< dump: sockets with SO_REUSEPORT that check_groups() has not seen
  struct Held {
    UniqueFd fd;
    uint32_t ino, state;
    HostPid holder;
    std::string object;
  };
  std::vector<TcpGuard::Job> jobs() const;
  std::unique_ptr<TcpGuard> guard_;
  std::optional<PeekGuard> peeks_;  ///< dump
  std::vector<Held> held_;          ///< dump: the connections that are kept
  struct Restored {
    UniqueFd fd;  ///< a duplicate
    pb::inet_sk_entry sk;
    const pb::nsr_sk_entry* extra;  ///< in extras_
    std::optional<TcpNudge> nudge;
  };
  std::vector<Restored> restored_;         ///< connections until the tree runs
  std::map<uint32_t, TcpStream> streams_;  ///< dump: by inode, until written; restore: by file id, until it runs
  bool locked_ = false;
  std::vector<uint32_t> opened_;
  SocketExtras extras_;
};

}  // namespace nsr
