// Netlink sockets (netlink(7)).
#include <linux/netlink.h>

#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/sockets/kinds.h"
#include "engine/sockets/sock_diag.h"
#include "engine/sockets/socket_base.h"
#include "engine/sockets/socket_options.h"

namespace nsr {
namespace {

const Logger log("netlink");
constexpr int kSolNetlink = 270;

std::string object_of(const pb::netlink_sk_entry& sk) { return format("netlink socket:[%u]", sk.ino()); }

class NetlinkKind : public Kind {
 public:
  const char* name() const override { return "netlink socket"; }
  bool match(const OpenFile& file) const override { return socket_protocol(file) == "NETLINK"; }
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override;
  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::NETLINKSK; }
  std::string describe(const pb::file_entry& entry) const override {
    return format("netlink socket of protocol %u, port %u", entry.nlsk().protocol(), entry.nlsk().portid());
  }
  void open(const pb::file_entry& entry, RestoreContext& ctx) override;

 private:
  NetlinkRecord record(int fd, uint32_t ino);

  std::map<uint64_t, std::unordered_map<uint32_t, NetlinkRecord>> tables_;
  std::map<uint32_t, FreshSocket> fresh_;  ///< by protocol
  SocketExtras extras_;
};

NetlinkRecord NetlinkKind::record(int fd, uint32_t ino) {
  const uint64_t net = network_namespace_of(fd);
  auto it = tables_.find(net);
  if (it == tables_.end()) it = tables_.emplace(net, netlink_sockets(fd)).first;
  const auto found = it->second.find(ino);
  if (found != it->second.end()) return found->second;
  // One that has neither a port nor groups yet stands in none of the tables that sock_diag walks.
  NetlinkRecord fresh;
  fresh.protocol = static_cast<uint8_t>(int_option(fd, SOL_SOCKET, SO_PROTOCOL).value_or(0));
  return fresh;
}

void NetlinkKind::dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) {
  const std::string object = file.describe();
  UniqueFd fd = ctx.borrow(file);
  const NetlinkRecord r = record(fd.get(), static_cast<uint32_t>(file.st.st_ino));
  pb::netlink_sk_entry& sk = *entry.mutable_nlsk();
  entry.set_type(pb::NETLINKSK);
  sk.set_id(entry.id());
  sk.set_ino(static_cast<uint32_t>(file.st.st_ino));
  sk.set_protocol(r.protocol);
  sk.set_state(r.state);
  sk.set_flags(file.flags);
  sk.set_portid(r.portid);
  for (const uint32_t word : r.groups) sk.add_groups(word);
  sk.set_dst_portid(r.dst_portid);
  sk.set_dst_group(r.dst_group);
  *sk.mutable_fown() = ctx.owner_of(fd.get());
  *sk.mutable_opts() = collect_options(fd.get(), object);
  pb::nsr_sk_entry extra;
  extra.set_id(entry.id());
  const int type = int_option(fd.get(), SOL_SOCKET, SO_TYPE).value_or(SOCK_RAW);
  if (type != SOCK_RAW) extra.set_type(static_cast<uint32_t>(type));
  FreshSocket& fresh = fresh_[r.protocol];
  if (!fresh) fresh = FreshSocket(open_socket(AF_NETLINK, SOCK_RAW, r.protocol, object));
  collect_extra_options(fd.get(), fresh, extra);
  write_extra(extra, ctx.images());
  if (has_unread(fd.get())) log.warn("%s: messages of the kernel not yet read are lost", object.c_str());
}

/// Port ids are the kernel's to give and often another program's here; groups are what a listener lives by.
void bind_port(int fd, const pb::netlink_sk_entry& sk, const std::string& object) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_pid = sk.portid();
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  if (errno != EADDRINUSE)
    throw_errno(Failure::environment, object, format("binding it to port %u", sk.portid()), errno);
  log.warn("%s: port %u is another socket's here, the kernel chooses one", object.c_str(), sk.portid());
  address.nl_pid = 0;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno(Failure::environment, object, "binding it", errno);
}

void NetlinkKind::open(const pb::file_entry& entry, RestoreContext& ctx) {
  const pb::netlink_sk_entry& sk = entry.nlsk();
  const std::string object = object_of(sk);
  const auto& extra = extras_.of(sk.id(), ctx.images());
  const int type = extra.has_type() ? static_cast<int>(extra.type()) : SOCK_RAW;
  UniqueFd fd = open_socket(AF_NETLINK, type, static_cast<int>(sk.protocol()), object);
  apply_options(fd.get(), sk.opts(), object);
  apply_extra_options(fd.get(), extra, OptionTime::early, object);
  if (sk.portid() != 0) bind_port(fd.get(), sk, object);
  for (int word = 0; word < sk.groups_size(); word++)
    for (int bit = 0; bit < 32; bit++)
      if (sk.groups(word) >> bit & 1)
        set_int_option(fd.get(), kSolNetlink, NETLINK_ADD_MEMBERSHIP, word * 32 + bit + 1, "NETLINK_ADD_MEMBERSHIP",
                       object);
  if (sk.dst_portid() != 0 || sk.dst_group() != 0) {
    sockaddr_nl to{};
    to.nl_family = AF_NETLINK;
    to.nl_pid = sk.dst_portid();
    to.nl_groups = sk.dst_group() ? 1u << (sk.dst_group() - 1) % 32 : 0;
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw_errno(Failure::environment, object, "connecting it", errno);
  }
  set_socket_flags(fd.get(), sk.flags(), object);
  apply_filter(fd.get(), sk.opts(), object);
  apply_extra_options(fd.get(), extra, OptionTime::late, object);
  ctx.provide(sk.id(), std::move(fd));
}

}  // namespace

std::unique_ptr<Kind> make_netlink_kind() { return std::make_unique<NetlinkKind>(); }

}  // namespace nsr
