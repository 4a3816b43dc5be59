// Rules by netlink messages of nf_tables (linux/netfilter/nf_tables.h); no library for them can be linked statically.
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "engine/base/error.h"
#include "engine/namespaces/firewall.h"
#include "engine/namespaces/nft_batch.h"

namespace nsr {
namespace {

constexpr int32_t kPriority = -450;          // before connection tracking: what is dropped never was
constexpr size_t kElementsPerMessage = 400;  // a nested attribute ends at 64 KiB

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

/// Source, source port, destination, destination port; each on a 4-byte boundary, as a concatenated key lies in
/// registers.
std::string key_of(const Direction& d) {
  const auto port = [](uint16_t number) {
    const uint16_t wire = htons(number);
    return std::string(reinterpret_cast<const char*>(&wire), 2) + std::string(2, '\0');
  };
  return d.from + port(d.from_port) + d.to + port(d.to_port);
}

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

void add_elements(NftBatch& batch, const std::string& table, const Wire& wire, std::span<const Direction> directions) {
  for (size_t at = 0; at < directions.size(); at += kElementsPerMessage)
    batch.add(NFT_MSG_NEWSETELEM, NLM_F_CREATE, NFPROTO_INET, [&](nl_msg* m) {
      nla_put_string(m, NFTA_SET_ELEM_LIST_TABLE, table.c_str());
      nla_put_string(m, NFTA_SET_ELEM_LIST_SET, wire.set);
      nest(m, NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
        for (const Direction& d : directions.subspan(at, std::min(kElementsPerMessage, directions.size() - at)))
          nest(m, NFTA_LIST_ELEM, [&] {
            const std::string key = key_of(d);
            nest(m, NFTA_SET_ELEM_KEY, [&] { nla_put(m, NFTA_DATA_VALUE, static_cast<int>(key.size()), key.data()); });
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
  must_equal(m, &kLockPassMark, sizeof kLockPassMark);  // a mark is compared as it lies in memory
  verdict(m, NF_ACCEPT);
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

class NftFirewall : public Firewall {
 public:
  void add(const std::string& table, const Directions& directions, bool owned) override;
  void extend(const std::string& table, const Directions& more) override;
  bool remove(const std::string& table) override;

 private:
  NftSocket socket_;
};

void NftFirewall::add(const std::string& table, const Directions& directions, bool owned) {
  NftBatch batch;
  add_table_message(batch, table, owned ? NFT_TABLE_F_OWNER : 0);
  add_set(batch, table, kV4, 1);
  add_set(batch, table, kV6, 2);
  for (const Hook& hook : kHooks) {
    add_chain(batch, table, hook.chain, hook.hook);
    add_rule(batch, table, hook.chain, accept_mark);
    if (directions.all) {
      add_rule(batch, table, hook.chain, [](nl_msg* m) { verdict(m, NF_DROP); });
      continue;
    }
    add_rule(batch, table, hook.chain, [](nl_msg* m) { drop_set(m, kV4); });
    add_rule(batch, table, hook.chain, [](nl_msg* m) { drop_set(m, kV6); });
  }
  add_elements(batch, table, kV4, directions.v4);
  add_elements(batch, table, kV6, directions.v6);
  if (const int error = batch.send(socket_)) fail("making the firewall table", error);
}

void NftFirewall::extend(const std::string& table, const Directions& more) {
  NftBatch batch;
  add_elements(batch, table, kV4, more.v4);
  add_elements(batch, table, kV6, more.v6);
  if (const int error = batch.send(socket_)) fail("adding connections to the firewall table", error);
}

bool NftFirewall::remove(const std::string& table) {
  NftBatch batch;
  batch.add(NFT_MSG_DELTABLE, 0, NFPROTO_INET, [&](nl_msg* m) { nla_put_string(m, NFTA_TABLE_NAME, table.c_str()); });
  const int error = batch.send(socket_);
  if (error != 0 && error != ENOENT) fail("removing a firewall table", error);
  return error == 0;
}

}  // namespace

std::unique_ptr<Firewall> make_nft_firewall() { return std::make_unique<NftFirewall>(); }

}  // namespace nsr
