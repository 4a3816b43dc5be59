#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/open_file.h"
#include "engine/descriptors/options.h"
#include "engine/images/image_dir.h"
#include "engine/sockets/kinds.h"
#include "engine/sockets/socket_options.h"
#include "engine/sockets/unix_name.h"
#include "engine/sockets/unix_queue.h"
#include "engine/sockets/unix_socket.h"
#include "sk-packet.pb.h"

namespace nsr {
namespace {

const Logger log("unix");
constexpr uint32_t kScmRights = 1;

/// Translates credentials that the kernel shows to the engine into those that the tree sees.
pb::nsr_sk_cred inner_credentials(const ucred& who, const OpenFile& file, const DumpContext& ctx) {
  pb::nsr_sk_cred cred;
  // A pid outside the tree means the same there only when the tree lives in the engine's pid namespace.
  const bool same_namespace = file.pid.value == file.nspid.value;
  const auto inner = ctx.inner_pid(HostPid(who.pid));
  cred.set_pid(static_cast<uint32_t>(inner ? inner->value : same_namespace ? who.pid : 0));
  cred.set_uid(ctx.users().uids.inner(who.uid));
  cred.set_gid(ctx.users().gids.inner(who.gid));
  return cred;
}

bool may_stay_outside(uint32_t ino, uint32_t peer, const FileOptions& options) {
  if (options.ext_unix_sk && options.ext_unix_inodes.empty()) return true;
  if (options.ext_unix_inodes.count(ino) || options.ext_unix_inodes.count(peer)) return true;
  for (const std::string& text : options.external)
    if (text == format("unix[%u]", ino) || text == format("unix[%u]", peer)) return true;
  return false;
}

}  // namespace

bool UnixKind::match(const OpenFile& file) const {
  const std::string protocol = socket_protocol(file);
  return protocol == "UNIX" || protocol == "UNIX-STREAM";
}

UnixKind::Table& UnixKind::table(int fd, uint64_t net) {
  auto it = tables_.find(net);
  if (it != tables_.end()) return it->second;
  Table& t = tables_[net];
  t.by_ino = unix_sockets(fd);
  for (const auto& [ino, record] : t.by_ino)
    for (const uint32_t client : record.pending) t.listener_of[client] = ino;
  return t;
}

const UnixRecord& UnixKind::record(int fd, uint64_t net, uint32_t ino, const std::string& object) {
  const auto& all = table(fd, net).by_ino;
  const auto it = all.find(ino);
  if (it == all.end()) throw Error(Failure::internal, object, "sock_diag does not list it");
  return it->second;
}

const FreshSocket& UnixKind::fresh(int type, const std::string& object) {
  FreshSocket& known = fresh_[type];
  if (!known) known = FreshSocket(open_socket(AF_UNIX, type, 0, object));
  return known;
}

void UnixKind::dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) {
  const std::string object = file.describe();
  UniqueFd fd = ctx.borrow(file);
  pb::unix_sk_entry& sk = *entry.mutable_usk();
  entry.set_type(pb::UNIXSK);
  sk.set_id(entry.id());
  sk.set_ino(static_cast<uint32_t>(file.st.st_ino));
  sk.set_type(static_cast<uint32_t>(int_option(fd.get(), SOL_SOCKET, SO_TYPE).value_or(0)));
  const uint64_t net = network_namespace_of(fd.get());
  const UnixRecord& r = record(fd.get(), net, sk.ino(), object);
  sk.set_state(r.state);
  sk.set_flags(file.flags);
  sk.set_uflags(0);
  sk.set_backlog(r.state == kUnixListen ? r.backlog : 0);
  *sk.mutable_fown() = ctx.owner_of(fd.get());
  *sk.mutable_opts() = collect_options(fd.get(), object);
  if (r.shutdown) sk.set_shutdown(static_cast<pb::sk_shutdown>(r.shutdown));

  pb::nsr_sk_entry extra;
  extra.set_id(entry.id());
  const uint32_t uid = ctx.users().uids.inner(file.st.st_uid), gid = ctx.users().gids.inner(file.st.st_gid);
  if (uid != 0 || gid != 0) {
    extra.set_uid(uid);
    extra.set_gid(gid);
  }
  collect_name(fd.get(), sk, extra, ctx.users(), object);
  collect_extra_options(fd.get(), fresh(static_cast<int>(sk.type()), object), extra);
  collect_peer(fd.get(), r, net, sk, extra, file, ctx);
  ucred who{};
  socklen_t length = sizeof who;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.pid != 0)
    *extra.mutable_peer_cred() = inner_credentials(who, file, ctx);
  dumped_.insert(sk.ino());
  if (r.state == kUnixListen)
    collect_pending(r, extra, object, ctx.options());
  else
    collect_queue(fd.get(), sk, extra, file, ctx, object);
  write_extra(extra, ctx.images());
}

void UnixKind::collect_peer(int fd, const UnixRecord& r, uint64_t net, pb::unix_sk_entry& sk, pb::nsr_sk_entry& extra,
                            const OpenFile& file, const DumpContext& ctx) {
  const std::string object = file.describe();
  sk.set_peer(r.peer);
  if (r.peer != 0) peers_.push_back({object, net, sk.ino(), r.peer, static_cast<int>(sk.type())});
  const auto& waiting = table(fd, net).listener_of;
  const auto it = waiting.find(sk.ino());
  if (it == waiting.end()) return;
  // The socket at the other end has no inode yet; nothing but accept(2) could read what was sent to it.
  int sent = 0;
  if (ioctl(fd, SIOCOUTQ, &sent) == 0 && sent > 0)
    throw Error(Failure::unsupported, object,
                "it has sent data over a connection that the other side has not accepted yet",
                "try again when the server has accepted it");
  sk.set_peer(it->second);
  peers_.push_back({object, net, sk.ino(), it->second, static_cast<int>(sk.type())});
  auto& connector = *extra.mutable_connector();
  connector.set_pid(static_cast<uint32_t>(file.nspid.value));
  connector.set_uid(ctx.users().uids.inner(file.st.st_uid));
  connector.set_gid(ctx.users().gids.inner(file.st.st_gid));
}

void UnixKind::collect_pending(const UnixRecord& r, pb::nsr_sk_entry& extra, const std::string& object,
                               const FileOptions& options) {
  for (const uint32_t client : r.pending) {
    if (client == 0) {
      if (!options.skip_in_flight)
        throw Error(Failure::unsupported, object, "a connection waits in its backlog whose client is gone already",
                    "use --skip-in-flight to leave it behind");
      continue;
    }
    extra.add_pending(client);
    pending_.emplace_back(client, object);
  }
}

void UnixKind::collect_queue(int fd, const pb::unix_sk_entry& sk, pb::nsr_sk_entry& extra, const OpenFile& file,
                             DumpContext& ctx, const std::string& object) {
  if (sk.type() != SOCK_DGRAM && sk.state() != kUnixEstablished) return;
  if (const int error = waiting_error(fd, static_cast<int>(sk.type()))) extra.set_error(static_cast<uint32_t>(error));
  if (!peeks_) peeks_.emplace(ctx.parking());
  bool told = false;
  for (UnixPacket& packet : peek_queue(fd, static_cast<int>(sk.type()), *peeks_, object)) {
    pb::sk_packet_entry record;
    record.set_id_for(sk.id());
    record.set_length(static_cast<uint32_t>(packet.data.size()));
    // Files in flight get their entries first: their own queues may hold more.
    if (!packet.rights.empty()) {
      auto& scm = *record.add_scm();
      scm.set_type(kScmRights);
      for (UniqueFd& right : packet.rights) {
        scm.add_rights(ctx.file_id_of(*look_at(HostPid(getpid()), NsPid(getpid()), right.get())));
        in_flight_.push_back(std::move(right));
      }
    }
    ImageWriter& image = ctx.images().append(Img::sk_queues);
    image.write(record);
    image.raw(packet.data.data(), packet.data.size());
    auto& more = *extra.add_packet();
    if (!packet.from.empty() && sk.type() == SOCK_DGRAM) more.set_from(packet.from);
    if (packet.credentials) *more.mutable_cred() = inner_credentials(*packet.credentials, file, ctx);
    told = told || more.has_from() || more.has_cred();
  }
  if (!told) extra.clear_packet();
}

void UnixKind::finish_dump(DumpContext& ctx) {
  peeks_.reset();
  for (const Peer& end : peers_)
    if (!dumped_.count(end.peer)) dump_external(end, ctx);
  for (const auto& [client, object] : pending_)
    if (!dumped_.count(client) && !ctx.options().skip_in_flight)
      throw Error(Failure::unsupported, object,
                  format("a connection of socket:[%u] outside the tree waits in its backlog", client),
                  "use --skip-in-flight to leave it behind");
}

void UnixKind::dump_external(const Peer& end, DumpContext& ctx) {
  const auto& all = tables_[end.net].by_ino;
  const auto it = all.find(end.peer);
  const std::string name = it == all.end() ? "" : it->second.name;
  if (!may_stay_outside(end.ino, end.peer, ctx.options()))
    throw Error(Failure::unsupported, end.object,
                format("its peer socket:[%u] (%s) is outside the tree", end.peer, name_text(name).c_str()),
                format("use --external unix[%u] or --ext-unix-sk to leave the peer where it is", end.peer));
  if (name.empty() || !external_.insert(end.peer).second) return;
  pb::file_entry entry;
  entry.set_type(pb::UNIXSK);
  entry.set_id(ctx.new_file_id());
  auto& sk = *entry.mutable_usk();
  sk.set_id(entry.id());
  sk.set_ino(end.peer);
  sk.set_type(static_cast<uint32_t>(end.type));
  sk.set_state(end.type == SOCK_DGRAM ? kUnixClose : kUnixListen);
  sk.set_flags(O_RDWR);
  sk.set_uflags(kUnixExternal);
  sk.set_backlog(0);
  sk.set_peer(0);
  auto& none = *sk.mutable_fown();
  none.set_uid(0), none.set_euid(0), none.set_signum(0), none.set_pid_type(0), none.set_pid(0);
  *sk.mutable_opts() = collect_options(fresh(end.type, end.object).fd(), end.object);
  sk.set_name(is_path(name) ? std::string(name.c_str(), name.size() + 1) : name);
  ctx.add_file(entry);
  log.warn("%s: its peer %s stays outside and must be there when the tree is restored", end.object.c_str(),
           name_text(name).c_str());
}

std::unique_ptr<Kind> make_unix_kind() { return std::make_unique<UnixKind>(); }

}  // namespace nsr
