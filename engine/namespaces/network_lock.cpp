#include "engine/namespaces/network_lock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/net_namespace.h"
#include "engine/namespaces/nft_batch.h"

namespace nsr {
namespace {

const Logger log("netlock");

constexpr uint32_t kMark = 0xc114;           // of the packets that a restore makes itself (engine/sockets/tcp_stream.h)
constexpr int32_t kPriority = -450;          // before connection tracking: what is dropped never was
constexpr size_t kElementsPerMessage = 400;  // a nested attribute ends at 64 KiB

/// source, source port, destination, destination port; each on a 4-byte boundary, as a concatenated key lies in
/// registers.
using Tuple = std::string;

bool is_mapped(const sockaddr_storage& a) {
  return a.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr);
}

std::string bytes_of(const sockaddr_storage& a) {
  if (a.ss_family == AF_INET)
    return std::string(reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in&>(a).sin_addr), 4);
  const auto* in = reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr);
  return is_mapped(a) ? std::string(in + 12, 4) : std::string(in, 16);
}

Tuple tuple(const sockaddr_storage& from, const sockaddr_storage& to) {
  const auto port = [](const sockaddr_storage& a) {
    // Both families have the port at the same place, in network order.
    return std::string(reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in&>(a).sin_port), 2) +
           std::string(2, '\0');
  };
  return bytes_of(from) + port(from) + bytes_of(to) + port(to);
}

/// The protocol on the wire.
struct Wire {
  uint8_t family;  // NFPROTO_*
  const char* set;
  uint32_t source_at, destination_at, address_size;
  uint32_t key_type;  // how `nft list` shows it: ipv4_addr 7, ipv6_addr 8, inet_service 13, six bits each
  uint32_t key_size() const { return 2 * (address_size + 4); }
};
constexpr Wire kV4{NFPROTO_IPV4, "tcp4", 12, 16, 4, 7 << 18 | 13 << 12 | 7 << 6 | 13};
constexpr Wire kV6{NFPROTO_IPV6, "tcp6", 8, 24, 16, 8 << 18 | 13 << 12 | 8 << 6 | 13};

// ---- attributes: numbers of nf_tables are in network order

void put_u32(nl_msg* m, int type, uint32_t value) { nla_put_u32(m, type, htonl(value)); }

template <class F>
void nest(nl_msg* m, int type, F inside) {
  nlattr* start = nla_nest_start(m, type);
  if (start == nullptr) throw Error(Failure::internal, "network lock", "a message of the firewall is too long");
  inside();
  nla_nest_end(m, start);
}

template <class F>
void expression(nl_msg* m, const char* name, F data) {
  nest(m, NFTA_LIST_ELEM, [&] {
    nla_put_string(m, NFTA_EXPR_NAME, name);
    nest(m, NFTA_EXPR_DATA, data);
  });
}

void load_meta(nl_msg* m, uint32_t key) {
  expression(m, "meta", [&] {
    put_u32(m, NFTA_META_KEY, key);
    put_u32(m, NFTA_META_DREG, NFT_REG_1);
  });
}

void must_equal(nl_msg* m, const void* value, int size) {
  expression(m, "cmp", [&] {
    put_u32(m, NFTA_CMP_SREG, NFT_REG_1);
    put_u32(m, NFTA_CMP_OP, NFT_CMP_EQ);
    nest(m, NFTA_CMP_DATA, [&] { nla_put(m, NFTA_DATA_VALUE, size, value); });
  });
}

void load_payload(nl_msg* m, uint32_t base, uint32_t offset, uint32_t size, uint32_t reg) {
  expression(m, "payload", [&] {
    put_u32(m, NFTA_PAYLOAD_DREG, reg);
    put_u32(m, NFTA_PAYLOAD_BASE, base);
    put_u32(m, NFTA_PAYLOAD_OFFSET, offset);
    put_u32(m, NFTA_PAYLOAD_LEN, size);
  });
}

void verdict(nl_msg* m, int code) {
  expression(m, "immediate", [&] {
    put_u32(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    nest(m, NFTA_IMMEDIATE_DATA,
         [&] { nest(m, NFTA_DATA_VERDICT, [&] { put_u32(m, NFTA_VERDICT_CODE, static_cast<uint32_t>(code)); }); });
  });
}

// ---- objects

void add_table_message(NftBatch& batch, const std::string& table, uint32_t flags) {
  batch.add(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, NFPROTO_INET, [&](nl_msg* m) {
    nla_put_string(m, NFTA_TABLE_NAME, table.c_str());
    put_u32(m, NFTA_TABLE_FLAGS, flags);
  });
}

void add_chain(NftBatch& batch, const std::string& table, const char* name, uint32_t hook) {
  batch.add(NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_INET, [&](nl_msg* m) {
    nla_put_string(m, NFTA_CHAIN_TABLE, table.c_str());
    nla_put_string(m, NFTA_CHAIN_NAME, name);
    nest(m, NFTA_CHAIN_HOOK, [&] {
      put_u32(m, NFTA_HOOK_HOOKNUM, hook);
      put_u32(m, NFTA_HOOK_PRIORITY, static_cast<uint32_t>(kPriority));
    });
    nla_put_string(m, NFTA_CHAIN_TYPE, "filter");
    put_u32(m, NFTA_CHAIN_POLICY, NF_ACCEPT);
  });
}

void add_rule(NftBatch& batch, const std::string& table, const char* chain,
              const std::function<void(nl_msg*)>& expressions) {
  batch.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_INET, [&](nl_msg* m) {
    nla_put_string(m, NFTA_RULE_TABLE, table.c_str());
    nla_put_string(m, NFTA_RULE_CHAIN, chain);
    nest(m, NFTA_RULE_EXPRESSIONS, [&] { expressions(m); });
  });
}

void add_set(NftBatch& batch, const std::string& table, const Wire& wire, uint32_t id) {
  batch.add(NFT_MSG_NEWSET, NLM_F_CREATE, NFPROTO_INET, [&](nl_msg* m) {
    nla_put_string(m, NFTA_SET_TABLE, table.c_str());
    nla_put_string(m, NFTA_SET_NAME, wire.set);
    put_u32(m, NFTA_SET_FLAGS, 0);
    put_u32(m, NFTA_SET_KEY_TYPE, wire.key_type);
    put_u32(m, NFTA_SET_KEY_LEN, wire.key_size());
    put_u32(m, NFTA_SET_ID, id);
  });
}

void add_elements(NftBatch& batch, const std::string& table, const Wire& wire, std::span<const Tuple> tuples) {
  for (size_t at = 0; at < tuples.size(); at += kElementsPerMessage)
    batch.add(NFT_MSG_NEWSETELEM, NLM_F_CREATE, NFPROTO_INET, [&](nl_msg* m) {
      nla_put_string(m, NFTA_SET_ELEM_LIST_TABLE, table.c_str());
      nla_put_string(m, NFTA_SET_ELEM_LIST_SET, wire.set);
      nest(m, NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
        for (const Tuple& t : tuples.subspan(at, std::min(kElementsPerMessage, tuples.size() - at)))
          nest(m, NFTA_LIST_ELEM, [&] {
            nest(m, NFTA_SET_ELEM_KEY, [&] { nla_put(m, NFTA_DATA_VALUE, static_cast<int>(t.size()), t.data()); });
          });
      });
    });
}

/// nfproto, tcp, and the packet's tuple is in the set: drop.
void drop_set(nl_msg* m, const Wire& wire) {
  const uint8_t tcp = IPPROTO_TCP;
  load_meta(m, NFT_META_NFPROTO);
  must_equal(m, &wire.family, 1);
  load_meta(m, NFT_META_L4PROTO);
  must_equal(m, &tcp, 1);
  const uint32_t words = wire.address_size / 4;
  load_payload(m, NFT_PAYLOAD_NETWORK_HEADER, wire.source_at, wire.address_size, NFT_REG32_00);
  load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, NFT_REG32_00 + words);
  load_payload(m, NFT_PAYLOAD_NETWORK_HEADER, wire.destination_at, wire.address_size, NFT_REG32_00 + words + 1);
  load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_00 + 2 * words + 1);
  expression(m, "lookup", [&] {
    nla_put_string(m, NFTA_LOOKUP_SET, wire.set);
    put_u32(m, NFTA_LOOKUP_SREG, NFT_REG32_00);
  });
  verdict(m, NF_DROP);
}

void accept_mark(nl_msg* m) {
  load_meta(m, NFT_META_MARK);
  must_equal(m, &kMark, sizeof kMark);  // a mark is compared as it lies in memory
  verdict(m, NF_ACCEPT);
}

int delete_table(NftSocket& socket, const std::string& table) {
  NftBatch batch;
  batch.add(NFT_MSG_DELTABLE, 0, NFPROTO_INET, [&](nl_msg* m) { nla_put_string(m, NFTA_TABLE_NAME, table.c_str()); });
  return batch.send(socket);
}

struct Hook {
  const char* chain;
  uint32_t hook;
};
constexpr Hook kHooks[] = {{"in", NF_INET_LOCAL_IN}, {"out", NF_INET_LOCAL_OUT}};

[[noreturn]] void fail(const char* what, int error) {
  throw_errno(Failure::environment, "network lock", what, error,
              "the kernel needs CONFIG_NF_TABLES_INET and CAP_NET_ADMIN; or use --network-lock skip");
}

}  // namespace

struct NetworkHold::Held {
  UniqueFd net;
  std::unique_ptr<NftSocket> socket;
  std::vector<Tuple> v4, v6;
  bool all = false;
};

std::string new_run_id() {
  uint8_t b[16] = {};
  if (getrandom(b, sizeof b, 0) != sizeof b) throw_errno(Failure::environment, "run id", "getrandom", errno);
  b[6] = static_cast<uint8_t>((b[6] & 0x0f) | 0x40);  // version 4
  b[8] = static_cast<uint8_t>((b[8] & 0x3f) | 0x80);
  std::string text;
  for (size_t i = 0; i < sizeof b; i++) text += format(i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
  return text;
}

std::string kept_lock_table(const std::string& run_id) { return "nsr-" + run_id; }

NetworkHold::NetworkHold(NetworkLock method, std::string run_id) : method_(method), run_id_(std::move(run_id)) {
  // Restores of the same images may run side by side.
  uint32_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) number = static_cast<uint32_t>(getpid());
  live_table_ = format("nsr-%s-live-%08x", run_id_.c_str(), number);
}

NetworkHold::~NetworkHold() { release(); }

void NetworkHold::add_table(Held& held, const std::string& table, bool owned) {
  NftBatch batch;
  add_table_message(batch, table, owned ? NFT_TABLE_F_OWNER : 0);
  add_set(batch, table, kV4, 1);
  add_set(batch, table, kV6, 2);
  for (const Hook& hook : kHooks) {
    add_chain(batch, table, hook.chain, hook.hook);
    add_rule(batch, table, hook.chain, accept_mark);
    if (held.all) {
      add_rule(batch, table, hook.chain, [](nl_msg* m) { verdict(m, NF_DROP); });
      continue;
    }
    add_rule(batch, table, hook.chain, [](nl_msg* m) { drop_set(m, kV4); });
    add_rule(batch, table, hook.chain, [](nl_msg* m) { drop_set(m, kV6); });
  }
  add_elements(batch, table, kV4, held.v4);
  add_elements(batch, table, kV6, held.v6);
  if (const int error = batch.send(*held.socket)) fail("making the firewall table", error);
}

void NetworkHold::hold(std::span<const Connection> connections, int socket) {
  if (method_ == NetworkLock::skip || connections.empty()) return;
  const uint64_t net = network_namespace_of(socket);
  const bool fresh = held_.count(net) == 0;
  auto& held = held_[net];
  std::vector<Tuple> v4, v6;
  for (const Connection& c : connections) {
    for (const Tuple& t : {tuple(c.local, c.peer), tuple(c.peer, c.local)}) {
      auto& known = t.size() == kV4.key_size() ? v4 : v6;
      known.push_back(t);
    }
  }
  // Both ends in the tree name the same two tuples twice.
  for (auto* list : {&v4, &v6}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  if (!fresh && held->all) return;
  if (fresh) {
    held = std::make_unique<Held>();
    held->net = network_namespace(socket);
    InNetworkNamespace there(held->net);
    held->socket = std::make_unique<NftSocket>();
    held->v4 = std::move(v4);
    held->v6 = std::move(v6);
    add_table(*held, live_table_, true);
  } else {
    NftBatch batch;
    add_elements(batch, live_table_, kV4, v4);
    add_elements(batch, live_table_, kV6, v6);
    if (const int error = batch.send(*held->socket)) fail("adding connections to the firewall table", error);
    held->v4.insert(held->v4.end(), v4.begin(), v4.end());
    held->v6.insert(held->v6.end(), v6.begin(), v6.end());
  }
  log.info("%zu connections are held still", connections.size());
}

void NetworkHold::hold_all(int namespace_fd) {
  if (method_ == NetworkLock::skip) return;
  struct stat st {};
  auto held = std::make_unique<Held>();
  held->net = UniqueFd(fcntl(namespace_fd, F_DUPFD_CLOEXEC, 0));
  if (!held->net || fstat(namespace_fd, &st) != 0) fail("looking at a network namespace", errno);
  held->all = true;
  InNetworkNamespace there(held->net);
  held->socket = std::make_unique<NftSocket>();
  add_table(*held, live_table_, true);
  held_[st.st_ino] = std::move(held);
}

void NetworkHold::keep() {
  for (auto& [net, held] : held_) {
    InNetworkNamespace there(held->net);
    remove_kept_lock(run_id_);
    add_table(*held, kept_lock_table(run_id_), false);
  }
  release();
}

void NetworkHold::release() noexcept {
  // Closing the socket would do, but a child of ours may still have a copy of it.
  for (auto& [net, held] : held_)
    if (held && held->socket) delete_table(*held->socket, live_table_);
  held_.clear();
}

bool remove_kept_lock(const std::string& run_id) {
  NftSocket socket;
  const int error = delete_table(socket, kept_lock_table(run_id));
  if (error == ENOENT) return false;
  if (error != 0) fail("removing the firewall table of an earlier run", error);
  return true;
}

}  // namespace nsr
