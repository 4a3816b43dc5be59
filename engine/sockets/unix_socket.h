// UNIX sockets: one object a dump or a restore; the two halves are in unix_dump.cpp and unix_restore.cpp.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/descriptors/kind.h"
#include "engine/sockets/peek_offset.h"
#include "engine/sockets/sock_diag.h"
#include "engine/sockets/socket_base.h"
#include "engine/sockets/socket_options.h"
#include "engine/sockets/unix_pairs.h"

namespace nsr {

struct UnixPacket;

/// State numbers as sock_diag and images have them (net/tcp_states.h).
inline constexpr uint32_t kUnixEstablished = 1, kUnixClose = 7, kUnixListen = 10;
/// uflags of an entry that stands for a socket outside the tree: it has a name, nobody holds it.
inline constexpr uint32_t kUnixExternal = 1;

class UnixKind : public Kind {
 public:
  const char* name() const override { return "UNIX socket"; }
  bool match(const OpenFile& file) const override;
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override;
  /// Checks that the peer of every socket came along, or may stay outside; such peers get an entry with their name.
  void finish_dump(DumpContext& ctx) override;
  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::UNIXSK; }
  std::string describe(const pb::file_entry& entry) const override;
  /// An entry of a socket outside the tree provides nothing.
  void open(const pb::file_entry& entry, RestoreContext& ctx) override;
  /// Queues, connections to listeners, shutdown halves, permissions: what needs all sockets.
  void finish_restore(RestoreContext& ctx) override;

 private:
  // ---- dump
  struct Table {
    std::unordered_map<uint32_t, UnixRecord> by_ino;
    std::unordered_map<uint32_t, uint32_t> listener_of;  ///< client not yet accepted -> its listener
  };
  struct Peer {
    std::string object;
    uint64_t net;
    uint32_t ino, peer;
    int type;
  };
  Table& table(int fd, uint64_t net);
  const UnixRecord& record(int fd, uint64_t net, uint32_t ino, const std::string& object);
  void collect_peer(int fd, const UnixRecord& r, uint64_t net, pb::unix_sk_entry& sk, pb::nsr_sk_entry& extra,
                    const OpenFile& file, const DumpContext& ctx);
  void collect_pending(const UnixRecord& r, pb::nsr_sk_entry& extra, const std::string& object,
                       const FileOptions& options);
  void collect_queue(int fd, const pb::unix_sk_entry& sk, pb::nsr_sk_entry& extra, const OpenFile& file,
                     DumpContext& ctx, const std::string& object);
  void dump_external(const Peer& end, DumpContext& ctx);
  const FreshSocket& fresh(int type, const std::string& object);

  std::map<uint64_t, Table> tables_;
  std::unordered_set<uint32_t> dumped_, external_;
  std::vector<Peer> peers_;
  std::optional<PeekGuard> peeks_;   ///< dump
  std::vector<UniqueFd> in_flight_;  ///< ours of what waits in queues: files are told apart by them until the end
  std::vector<std::pair<uint32_t, std::string>> pending_;  ///< clients in backlogs, with their listener
  std::map<int, FreshSocket> fresh_;

  // ---- restore
  struct Queue {
    struct Message {
      std::string data;
      std::vector<uint32_t> rights;
    };
    std::vector<Message> messages;
  };
  void read_images(RestoreContext& ctx);
  const pb::unix_sk_entry* by_ino(uint32_t ino) const;
  const pb::unix_sk_entry* listener_named(const pb::unix_sk_entry& sk) const;
  void provide(const pb::unix_sk_entry& sk, UniqueFd fd, RestoreContext& ctx);
  void open_single(const pb::unix_sk_entry& sk, RestoreContext& ctx);
  void open_pair(const pb::unix_sk_entry& sk, const pb::unix_sk_entry* peer, RestoreContext& ctx);
  void open_accepted(const pb::unix_sk_entry& server, const pb::unix_sk_entry* client,
                     const pb::unix_sk_entry& listener, RestoreContext& ctx);
  bool open_inherited(const pb::unix_sk_entry& sk, RestoreContext& ctx);
  void connect_to(const pb::unix_sk_entry& sk, RestoreContext& ctx);
  void connect_pending(const pb::unix_sk_entry& listener, RestoreContext& ctx);
  void fill_queue(const pb::unix_sk_entry& sk, RestoreContext& ctx);
  /// Closes the other ends that are gone.
  void end_mates(RestoreContext& ctx);
  void finish_one(const pb::unix_sk_entry& sk, RestoreContext& ctx);

  bool read_ = false;
  std::unordered_map<uint32_t, const pb::unix_sk_entry*> by_ino_;
  std::multimap<std::string, const pb::unix_sk_entry*> by_name_;
  std::map<uint32_t, Queue> queues_;
  SocketPairs pairs_;
  std::map<uint32_t, UniqueFd> mates_;  ///< the other ends that are gone in the image, until queues are full
  std::vector<const pb::unix_sk_entry*> opened_;
  std::set<uint32_t> opened_ids_;
  std::set<uint32_t> paired_;  ///< connected when they were made
  SocketExtras extras_;
};

}  // namespace nsr
