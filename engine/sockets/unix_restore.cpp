#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/options.h"
#include "engine/images/image_dir.h"
#include "engine/sockets/roomy_buffer.h"
#include "engine/sockets/run_as.h"
#include "engine/sockets/socket_options.h"
#include "engine/sockets/unix_name.h"
#include "engine/sockets/unix_queue.h"
#include "engine/sockets/unix_socket.h"
#include "sk-packet.pb.h"

namespace nsr {
namespace {

const Logger log("unix");

std::string object_of(const pb::unix_sk_entry& sk) {
  const std::string name = name_of(sk);
  return format("socket:[%u]%s%s", sk.ino(), name.empty() ? "" : " ", name.empty() ? "" : name_text(name).c_str());
}

bool is_external(const pb::unix_sk_entry& sk) { return (sk.uflags() & kUnixExternal) != 0; }
bool is_dgram(const pb::unix_sk_entry& sk) { return sk.type() == SOCK_DGRAM; }
bool is_connected(const pb::unix_sk_entry& sk) { return sk.state() == kUnixEstablished; }

/// In whose name a call is made, with ids as they are here; the engine's own name where none was kept (null).
pb::nsr_sk_cred credentials(const pb::nsr_sk_cred* kept, const UserMap& users) {
  const uint32_t uid = kept ? users.uids.outer(kept->uid()) : IdMap::kNone;
  const uint32_t gid = kept ? users.gids.outer(kept->gid()) : IdMap::kNone;
  pb::nsr_sk_cred cred;
  cred.set_pid(kept ? kept->pid() : 0);
  cred.set_uid(uid == IdMap::kNone ? geteuid() : uid);
  cred.set_gid(gid == IdMap::kNone ? getegid() : gid);
  return cred;
}

/// Accepts our own connection among those that strangers may have made meanwhile: only ours knows the word.
UniqueFd accept_own(int listener, int client, const std::string& object) {
  char word[16], got[16];
  if (getrandom(word, sizeof word, 0) != sizeof word || send(client, word, sizeof word, MSG_DONTWAIT) != sizeof word)
    throw_errno(Failure::environment, object, "writing to a connection that has just been made", errno);
  for (;;) {
    UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, "accepting its connection", errno);
    if (recv(fd.get(), got, sizeof got, MSG_DONTWAIT) == sizeof got && memcmp(word, got, sizeof word) == 0) return fd;
    log.warn("%s: a stranger's connection was made during the restore and is closed", object.c_str());
  }
}

void connect_as(const pb::nsr_sk_cred& who, int fd, const SocketAddress& to, const std::string& object) {
  const int error = run_as(who, [&] { return connect(fd, to.get(), to.length) == 0 ? 0 : errno; });
  if (error != 0)
    throw_errno(Failure::environment, object, "connecting it to " + name_text(sun_path(to)), error,
                "start the program that listens there first");
}

}  // namespace

std::string UnixKind::describe(const pb::file_entry& entry) const {
  const auto& sk = entry.usk();
  const char* type = is_dgram(sk) ? "datagram" : sk.type() == SOCK_SEQPACKET ? "sequenced packet" : "stream";
  std::string text = format("UNIX %s socket %s", type, name_text(name_of(sk)).c_str());
  if (is_external(sk)) return text + " outside the tree";
  if (sk.state() == kUnixListen) return text + format(" listening, backlog %u", sk.backlog());
  if (sk.peer() != 0) return text + format(" connected to socket:[%u]", sk.peer());
  return text;
}

void UnixKind::read_images(RestoreContext& ctx) {
  if (read_) return;
  read_ = true;
  for (const pb::file_entry* entry : ctx.entries()) {
    if (entry->type() != pb::UNIXSK) continue;
    by_ino_[entry->usk().ino()] = &entry->usk();
    if (const std::string name = name_of(entry->usk()); !name.empty()) by_name_.emplace(name, &entry->usk());
  }
  auto image = ctx.images().open(Img::sk_queues);
  if (!image) return;
  pb::sk_packet_entry record;
  while (image->next(record)) {
    if (record.length() > image->left())
      throw Error(Failure::image, image->name(), format("a message of %u bytes ends behind the file", record.length()));
    Queue::Message message{image->raw(record.length()), {}};
    for (const auto& scm : record.scm()) message.rights.assign(scm.rights().begin(), scm.rights().end());
    if (message.rights.size() > kMaxRights)
      throw Error(Failure::image, image->name(),
                  format("%zu descriptors in one message are impossible", message.rights.size()));
    queues_[record.id_for()].messages.push_back(std::move(message));
  }
}

const pb::unix_sk_entry* UnixKind::by_ino(uint32_t ino) const {
  const auto it = by_ino_.find(ino);
  return ino == 0 || it == by_ino_.end() ? nullptr : it->second;
}

const pb::unix_sk_entry* UnixKind::listener_named(const pb::unix_sk_entry& sk) const {
  const auto [from, to] = by_name_.equal_range(name_of(sk));
  for (auto it = from; it != to; ++it)
    if (it->second->state() == kUnixListen && !is_external(*it->second) && it->second->name_dir() == sk.name_dir() &&
        it->second->type() == sk.type())
      return it->second;
  return nullptr;
}

void UnixKind::provide(const pb::unix_sk_entry& sk, UniqueFd fd, RestoreContext& ctx) {
  const std::string object = object_of(sk);
  if (!opened_ids_.insert(sk.id()).second) throw Error(Failure::image, object, "two sockets have it as their peer");
  apply_options(fd.get(), sk.opts(), object);
  apply_extra_options(fd.get(), extras_.of(sk.id(), ctx.images()), OptionTime::early, object);
  set_socket_flags(fd.get(), sk.flags(), object);
  opened_.push_back(&sk);
  ctx.provide(sk.id(), std::move(fd));
}

bool UnixKind::open_inherited(const pb::unix_sk_entry& sk, RestoreContext& ctx) {
  const auto it = ctx.options().inherit_fd.find(format("socket:[%u]", sk.ino()));
  if (it == ctx.options().inherit_fd.end()) return false;
  UniqueFd fd(fcntl(it->second, F_DUPFD_CLOEXEC, 0));
  if (!fd) throw_errno(Failure::usage, object_of(sk), format("descriptor %d of --inherit-fd", it->second), errno);
  ctx.provide(sk.id(), std::move(fd));
  return true;
}

void UnixKind::open(const pb::file_entry& entry, RestoreContext& ctx) {
  read_images(ctx);
  const pb::unix_sk_entry& sk = entry.usk();
  if (is_external(sk) || open_inherited(sk, ctx)) return;
  if (sk.type() != SOCK_STREAM && sk.type() != SOCK_DGRAM && sk.type() != SOCK_SEQPACKET)
    throw Error(Failure::image, object_of(sk), format("type %u is none of UNIX sockets", sk.type()));
  const pb::unix_sk_entry* peer = by_ino(sk.peer());
  if (peer != nullptr && peer->type() != sk.type())
    throw Error(Failure::image, object_of(sk), "its peer is of another type");
  const bool mutual = peer != nullptr && peer != &sk && peer->peer() == sk.ino() && !is_external(*peer);
  // The other end is gone. For datagrams the kernel also calls a socket connected that others have connected to (since
  // 5.15), but nobody can have connected to one without a name.
  const bool orphan = is_connected(sk) && sk.peer() == 0 && (!is_dgram(sk) || name_of(sk).empty());
  if (mutual || orphan)
    open_pair(sk, mutual ? peer : nullptr, ctx);
  else
    open_single(sk, ctx);
}

void UnixKind::open_single(const pb::unix_sk_entry& sk, RestoreContext& ctx) {
  const std::string object = object_of(sk);
  UniqueFd fd = open_socket(AF_UNIX, static_cast<int>(sk.type()), 0, object);
  const bool passing = sk.deleted() || (is_connected(sk) && !is_dgram(sk));
  if (!bind_name(fd.get(), sk, extras_.of(sk.id(), ctx.images()), passing ? Bind::in_passing : Bind::owner, object)) {
    if (sk.state() == kUnixListen || is_dgram(sk))
      throw Error(Failure::environment, object, "its name cannot be bound",
                  "its directory must be there and be writable");
    log.warn("%s: its own name is lost", object.c_str());
  }
  if (sk.state() == kUnixListen) {
    const auto& extra = extras_.of(sk.id(), ctx.images());
    const int error = run_as(credentials(extra.has_peer_cred() ? &extra.peer_cred() : nullptr, ctx.users()),
                             [&] { return listen(fd.get(), static_cast<int>(sk.backlog())) == 0 ? 0 : errno; });
    if (error != 0) throw_errno(Failure::environment, object, "listening", error);
  }
  provide(sk, std::move(fd), ctx);
}

void UnixKind::open_pair(const pb::unix_sk_entry& sk, const pb::unix_sk_entry* peer, RestoreContext& ctx) {
  // An accepted socket bears its listener's name.
  if (!is_dgram(sk)) {
    if (const auto* listener = listener_named(sk)) return open_accepted(sk, peer, *listener, ctx);
    if (peer != nullptr)
      if (const auto* listener = listener_named(*peer)) return open_accepted(*peer, &sk, *listener, ctx);
  }
  // Both ends of a pair show the same credentials; where they differed, a name tells the end that a server asks
  // through.
  const auto& asking = peer != nullptr && name_of(sk).empty() && !name_of(*peer).empty() ? *peer : sk;
  const auto& extra = extras_.of(asking.id(), ctx.images());
  SocketPair ends = pairs_.take(credentials(extra.has_peer_cred() ? &extra.peer_cred() : nullptr, ctx.users()),
                                static_cast<int>(sk.type()), object_of(sk));
  const auto name = [&](const pb::unix_sk_entry& end, int fd) {
    const bool keeps_node = is_dgram(end) && !end.deleted();
    if (!bind_name(fd, end, extras_.of(end.id(), ctx.images()), keeps_node ? Bind::owner : Bind::in_passing,
                   object_of(end)))
      log.warn("%s: its own name is lost, another socket has it", object_of(end).c_str());
  };
  name(sk, ends.first.get());
  paired_.insert(sk.id());
  provide(sk, std::move(ends.first), ctx);
  if (peer == nullptr) {
    mates_[sk.id()] = std::move(ends.second);
    return;
  }
  name(*peer, ends.second.get());
  paired_.insert(peer->id());
  provide(*peer, std::move(ends.second), ctx);
}

void UnixKind::open_accepted(const pb::unix_sk_entry& server, const pb::unix_sk_entry* client,
                             const pb::unix_sk_entry& listener, RestoreContext& ctx) {
  const std::string object = object_of(server);
  const int listening = ctx.fd_of(listener.id());
  UniqueFd end = open_socket(AF_UNIX, static_cast<int>(server.type()), 0, object);
  if (client != nullptr &&
      !bind_name(end.get(), *client, extras_.of(client->id(), ctx.images()), Bind::in_passing, object_of(*client)))
    log.warn("%s: its own name is lost, another socket has it", object_of(*client).c_str());
  UniqueFd node;
  const SocketAddress to = reachable_address(listening, node);
  const auto& extra = extras_.of(server.id(), ctx.images());
  connect_as(credentials(extra.has_peer_cred() ? &extra.peer_cred() : nullptr, ctx.users()), end.get(), to, object);
  UniqueFd accepted = accept_own(listening, end.get(), object);
  paired_.insert(server.id());
  provide(server, std::move(accepted), ctx);
  if (client == nullptr) {
    mates_[server.id()] = std::move(end);
    return;
  }
  paired_.insert(client->id());
  provide(*client, std::move(end), ctx);
}

void UnixKind::fill_queue(const pb::unix_sk_entry& sk, RestoreContext& ctx) {
  const auto it = queues_.find(sk.id());
  if (it == queues_.end()) return;
  const std::string object = object_of(sk);
  const auto& extra = extras_.of(sk.id(), ctx.images());
  const auto mate = mates_.find(sk.id());
  const pb::unix_sk_entry* peer = by_ino(sk.peer());
  const bool paired = paired_.count(sk.id()) != 0;
  if (!paired && !is_dgram(sk)) throw Error(Failure::image, object, "it has data in its queue but no peer");
  const int partner = !paired ? -1 : mate != mates_.end() ? mate->second.get() : ctx.fd_of(peer->id());
  UniqueFd anonymous = paired ? UniqueFd() : open_socket(AF_UNIX, SOCK_DGRAM, 0, object), node;
  const SocketAddress to = paired ? SocketAddress{} : reachable_address(ctx.fd_of(sk.id()), node);
  size_t total = 0;
  for (const auto& message : it->second.messages) total += message.data.size() + 4096;
  int index = 0;
  for (const auto& message : it->second.messages) {
    const bool more = index < extra.packet_size();
    const std::string from = more ? extra.packet(index).from() : "";
    int sender = paired ? partner : anonymous.get();
    if (!paired && !from.empty()) {
      const auto named = by_name_.find(from);
      if (named != by_name_.end() && is_dgram(*named->second) && !is_external(*named->second))
        sender = ctx.fd_of(named->second->id());
      else
        log.warn("%s: a waiting datagram loses its sender's name %s", object.c_str(), name_text(from).c_str());
    }
    std::vector<int> rights;
    for (const uint32_t id : message.rights) rights.push_back(ctx.fd_of(id));
    const RoomyBuffer room(sender, SO_SNDBUF, total, object);
    const bool known = more && extra.packet(index).has_cred();
    const int error = run_as(credentials(known ? &extra.packet(index).cred() : nullptr, ctx.users()), [&] {
      return send_packet(sender, message.data, rights.data(), rights.size(), paired ? nullptr : to.get(), to.length);
    });
    if (error != 0) throw_errno(Failure::environment, object, "putting its waiting data back", error);
    index++;
  }
}

void UnixKind::connect_to(const pb::unix_sk_entry& sk, RestoreContext& ctx) {
  const std::string object = object_of(sk);
  const pb::unix_sk_entry* peer = by_ino(sk.peer());
  if (peer == nullptr)
    throw Error(Failure::environment, object,
                format("its peer socket:[%u] is outside the tree and has no name", sk.peer()),
                format("give a connected socket with --inherit-fd fd[N]:socket:[%u]", sk.ino()));
  const int fd = ctx.fd_of(sk.id());
  UniqueFd node;
  const SocketAddress to =
      is_external(*peer) ? unix_address(name_of(*peer), object) : reachable_address(ctx.fd_of(peer->id()), node);
  if (to.length <= sizeof(sa_family_t)) throw Error(Failure::image, object, "its peer has no name to connect to");
  if (is_external(*peer) && !is_dgram(sk))
    log.warn("%s: it is connected anew to %s", object.c_str(), name_text(name_of(*peer)).c_str());
  const auto& extra = extras_.of(sk.id(), ctx.images());
  connect_as(credentials(extra.has_connector() ? &extra.connector() : nullptr, ctx.users()), fd, to, object);
}

void UnixKind::connect_pending(const pb::unix_sk_entry& listener, RestoreContext& ctx) {
  std::set<uint32_t> done;
  for (const uint32_t ino : extras_.of(listener.id(), ctx.images()).pending()) {
    const pb::unix_sk_entry* client = by_ino(ino);
    if (client == nullptr || !done.insert(ino).second || client->peer() != listener.ino()) continue;
    connect_to(*client, ctx);
  }
  // An image without our record has no order of arrival.
  for (const pb::unix_sk_entry* client : opened_)
    if (!is_dgram(*client) && is_connected(*client) && client->peer() == listener.ino() && !done.count(client->ino()))
      connect_to(*client, ctx);
}

void UnixKind::end_mates(RestoreContext& ctx) {
  for (const auto& [id, mate] : mates_) {
    const auto& extra = extras_.of(id, ctx.images());
    // Closed with data that it has not read, it leaves an error behind.
    if (extra.error() == ECONNRESET && send(ctx.fd_of(id), "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
      log.warn("%s: it does not learn that its peer has reset the connection: error %d",
               object_of(ctx.entry(id)->usk()).c_str(), errno);
    ctx.make_room();
  }
  mates_.clear();
}

void UnixKind::finish_one(const pb::unix_sk_entry& sk, RestoreContext& ctx) {
  const std::string object = object_of(sk);
  const int fd = ctx.fd_of(sk.id());
  const auto& extra = extras_.of(sk.id(), ctx.images());
  const UserMap& users = ctx.users();
  if (extra.has_uid() && fchown(fd, users.uids.outer(extra.uid()), users.gids.outer(extra.gid())) != 0)
    throw_errno(Failure::environment, object, "giving it to its owner", errno);
  if (sk.shutdown() != pb::NONE) {
    const int how = sk.shutdown() == pb::BOTH ? SHUT_RDWR : sk.shutdown() == pb::READ ? SHUT_RD : SHUT_WR;
    if (shutdown(fd, how) != 0) throw_errno(Failure::environment, object, "shutting it down", errno);
  }
  const bool owns_node = is_path(name_of(sk)) && !sk.deleted() && (is_dgram(sk) || !is_connected(sk));
  if (owns_node) apply_name_permissions(sk, extras_.of(sk.id(), ctx.images()), ctx.users(), object);
  apply_filter(fd, sk.opts(), object);
  apply_extra_options(fd, extras_.of(sk.id(), ctx.images()), OptionTime::late, object);
}

void UnixKind::finish_restore(RestoreContext& ctx) {
  // Files in flight are opened first: they may be sockets with queues of their own.
  for (const auto& [id, queue] : queues_)
    for (const auto& message : queue.messages)
      for (const uint32_t right : message.rights) ctx.fd_of(right), ctx.make_room();
  // A datagram socket takes what is sent to it only until it is connected to somebody else.
  const std::vector<const pb::unix_sk_entry*> all = opened_;
  for (const auto* sk : all)
    if (is_dgram(*sk)) fill_queue(*sk, ctx), ctx.make_room();
  for (const auto* sk : all)
    if (is_dgram(*sk) && sk->peer() != 0 && !paired_.count(sk->id())) connect_to(*sk, ctx), ctx.make_room();
  for (const auto* sk : all)
    if (!is_dgram(*sk)) fill_queue(*sk, ctx), ctx.make_room();
  for (const auto* sk : all)
    if (sk->state() == kUnixListen) connect_pending(*sk, ctx);
  for (const auto* sk : all) {
    const pb::unix_sk_entry* peer = by_ino(sk->peer());
    if (!is_dgram(*sk) && is_connected(*sk) && !paired_.count(sk->id()) && (peer == nullptr || is_external(*peer)))
      connect_to(*sk, ctx);
  }
  end_mates(ctx);
  for (const auto* sk : opened_) finish_one(*sk, ctx), ctx.make_room();
}

}  // namespace nsr
