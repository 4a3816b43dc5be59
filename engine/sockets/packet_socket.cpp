// Packet sockets (packet(7)) with their rings, memberships and fanout groups. Frames that wait are lost, as on a busy
// wire.
#include <linux/if_packet.h>
#include <linux/packet_diag.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/sockets/kinds.h"
#include "engine/sockets/sock_diag.h"
#include "engine/sockets/socket_base.h"
#include "engine/sockets/socket_options.h"

namespace nsr {
namespace {

const Logger log("packet");
constexpr int kSolPacket = 263;
constexpr uint32_t kNoFanout = UINT32_MAX;

std::string object_of(const pb::packet_sock_entry& sk) { return format("packet socket %u", sk.id()); }

class PacketKind : public Kind {
 public:
  const char* name() const override { return "packet socket"; }
  bool match(const OpenFile& file) const override { return socket_protocol(file) == "PACKET"; }
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override;
  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::PACKETSK; }
  std::string describe(const pb::file_entry& entry) const override {
    return format("packet socket on interface %u", entry.psk().ifindex());
  }
  void open(const pb::file_entry& entry, RestoreContext& ctx) override;
  /// Sockets see packets from the moment they are bound, which is when everything else is open.
  void finish_restore(RestoreContext& ctx) override;

 private:
  const PacketRecord& record(int fd, uint32_t ino, const std::string& object);

  std::map<uint64_t, std::unordered_map<uint32_t, PacketRecord>> tables_;
  FreshSocket fresh_;
  std::vector<uint32_t> opened_;
  SocketExtras extras_;
};

const PacketRecord& PacketKind::record(int fd, uint32_t ino, const std::string& object) {
  const uint64_t net = network_namespace_of(fd);
  auto it = tables_.find(net);
  if (it == tables_.end()) it = tables_.emplace(net, packet_sockets(fd)).first;
  const auto found = it->second.find(ino);
  if (found == it->second.end()) throw Error(Failure::internal, object, "sock_diag does not list it");
  return found->second;
}

void fill_ring(const PacketRecord::Ring& from, pb::packet_ring& to) {
  to.set_block_size(from.block_size);
  to.set_block_nr(from.block_count);
  to.set_frame_size(from.frame_size);
  to.set_frame_nr(from.frame_count);
  to.set_retire_tmo(from.timeout);
  to.set_sizeof_priv(from.private_size);
  to.set_features(from.features);
}

void PacketKind::dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) {
  const std::string object = file.describe();
  UniqueFd fd = ctx.borrow(file);
  const PacketRecord& r = record(fd.get(), static_cast<uint32_t>(file.st.st_ino), object);
  if (r.type != SOCK_RAW && r.type != SOCK_DGRAM)
    throw Error(Failure::unsupported, object, "it is an obsolete SOCK_PACKET socket");
  pb::packet_sock_entry& sk = *entry.mutable_psk();
  entry.set_type(pb::PACKETSK);
  sk.set_id(entry.id());
  sk.set_type(r.type);
  sk.set_protocol(r.protocol);
  sk.set_flags(file.flags);
  sk.set_ifindex(r.ifindex);
  *sk.mutable_fown() = ctx.owner_of(fd.get());
  *sk.mutable_opts() = collect_options(fd.get(), object);
  sk.set_version(r.version);
  sk.set_reserve(r.reserve);
  sk.set_aux_data(r.flags & PDI_AUXDATA);
  sk.set_orig_dev(r.flags & PDI_ORIGDEV);
  sk.set_vnet_hdr(r.flags & PDI_VNETHDR);
  sk.set_loss(r.flags & PDI_LOSS);
  sk.set_timestamp(r.timestamp);
  sk.set_copy_thresh(r.copy_threshold);
  for (const auto& m : r.memberships) {
    auto& to = *sk.add_mclist();
    to.set_index(m.ifindex);
    to.set_type(m.type);
    to.set_addr(m.address);
  }
  // With its flags, which sock_diag does not tell.
  if (r.fanout)
    sk.set_fanout(
        static_cast<uint32_t>(int_option(fd.get(), kSolPacket, PACKET_FANOUT).value_or(static_cast<int>(*r.fanout))));
  if (r.fanout && ((*r.fanout >> 16 & 0xff) == PACKET_FANOUT_CBPF || (*r.fanout >> 16 & 0xff) == PACKET_FANOUT_EBPF))
    throw Error(Failure::unsupported, object,
                "its fanout group is steered by a BPF program, which the kernel does not give back");
  if (r.rx) fill_ring(*r.rx, *sk.mutable_rx_ring());
  if (r.tx) fill_ring(*r.tx, *sk.mutable_tx_ring());
  if (!fresh_) fresh_ = FreshSocket(open_socket(AF_PACKET, SOCK_RAW, 0, object));
  pb::nsr_sk_entry extra;
  extra.set_id(entry.id());
  collect_extra_options(fd.get(), fresh_, extra);
  write_extra(extra, ctx.images());
  if (r.rx || has_unread(fd.get())) log.warn("%s: frames not yet read are lost", object.c_str());
}

void set_ring(int fd, int name, uint32_t version, const pb::packet_ring& ring, const std::string& object) {
  tpacket_req3 request{};
  request.tp_block_size = ring.block_size();
  request.tp_block_nr = ring.block_nr();
  request.tp_frame_size = ring.frame_size();
  request.tp_frame_nr = ring.frame_nr();
  request.tp_retire_blk_tov = ring.retire_tmo();
  request.tp_sizeof_priv = ring.sizeof_priv();
  request.tp_feature_req_word = ring.features();
  const socklen_t length = version == TPACKET_V3 ? sizeof(tpacket_req3) : sizeof(tpacket_req);
  if (setsockopt(fd, kSolPacket, name, &request, length) != 0)
    throw_errno(Failure::environment, object,
                format("making its ring of %u blocks of %u bytes", ring.block_nr(), ring.block_size()), errno);
}

void PacketKind::open(const pb::file_entry& entry, RestoreContext& ctx) {
  const pb::packet_sock_entry& sk = entry.psk();
  const std::string object = object_of(sk);
  // Protocol 0 receives nothing; the real one comes with bind(2).
  UniqueFd fd = open_socket(AF_PACKET, static_cast<int>(sk.type()), 0, object);
  apply_options(fd.get(), sk.opts(), object);
  const auto set = [&](uint32_t value, int name, const char* words) {
    if (value != 0) set_int_option(fd.get(), kSolPacket, name, static_cast<int>(value), words, object);
  };
  set(sk.version(), PACKET_VERSION, "PACKET_VERSION");
  set(sk.reserve(), PACKET_RESERVE, "PACKET_RESERVE");
  set(sk.aux_data(), PACKET_AUXDATA, "PACKET_AUXDATA");
  set(sk.orig_dev(), PACKET_ORIGDEV, "PACKET_ORIGDEV");
  set(sk.vnet_hdr(), PACKET_VNET_HDR, "PACKET_VNET_HDR");
  set(sk.loss(), PACKET_LOSS, "PACKET_LOSS");
  set(sk.timestamp(), PACKET_TIMESTAMP, "PACKET_TIMESTAMP");
  set(sk.copy_thresh(), PACKET_COPY_THRESH, "PACKET_COPY_THRESH");
  apply_extra_options(fd.get(), extras_.of(sk.id(), ctx.images()), OptionTime::early, object);
  if (sk.has_rx_ring()) set_ring(fd.get(), PACKET_RX_RING, sk.version(), sk.rx_ring(), object);
  if (sk.has_tx_ring()) set_ring(fd.get(), PACKET_TX_RING, sk.version(), sk.tx_ring(), object);
  set_socket_flags(fd.get(), sk.flags(), object);
  opened_.push_back(sk.id());
  ctx.provide(sk.id(), std::move(fd));
}

void PacketKind::finish_restore(RestoreContext& ctx) {
  for (const uint32_t id : opened_) {
    const pb::packet_sock_entry& sk = ctx.entry(id)->psk();
    const std::string object = object_of(sk);
    const int fd = ctx.fd_of(id);
    apply_filter(fd, sk.opts(), object);
    for (const auto& m : sk.mclist()) {
      packet_mreq request{};
      request.mr_ifindex = static_cast<int>(m.index());
      request.mr_type = static_cast<uint16_t>(m.type());
      request.mr_alen = static_cast<uint16_t>(std::min(m.addr().size(), sizeof request.mr_address));
      memcpy(request.mr_address, m.addr().data(), request.mr_alen);
      if (setsockopt(fd, kSolPacket, PACKET_ADD_MEMBERSHIP, &request, sizeof request) != 0)
        throw_errno(Failure::environment, object, format("joining a group on interface %u", m.index()), errno);
    }
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = static_cast<uint16_t>(sk.protocol());
    address.sll_ifindex = static_cast<int>(sk.ifindex());
    if ((sk.protocol() != 0 || sk.ifindex() != 0) &&
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw_errno(Failure::environment, object, format("binding it to interface %u", sk.ifindex()), errno,
                  "that interface must exist here");
    if (sk.fanout() != kNoFanout)
      set_int_option(fd, kSolPacket, PACKET_FANOUT, static_cast<int>(sk.fanout()), "PACKET_FANOUT", object);
    apply_extra_options(fd, extras_.of(id, ctx.images()), OptionTime::late, object);
    ctx.make_room();
  }
}

}  // namespace

std::unique_ptr<Kind> make_packet_kind() { return std::make_unique<PacketKind>(); }

}  // namespace nsr
