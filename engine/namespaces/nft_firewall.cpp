// Rules in the language of nft(8), which libnftables takes in (nft_helper.h).
#include <arpa/inet.h>

#include <set>

#include "engine/base/error.h"
#include "engine/namespaces/firewall.h"
#include "engine/namespaces/nft_helper.h"

namespace nsr {
namespace {

constexpr int kPriority = -450;  // before connection tracking: what is dropped never was

/// The protocol on the wire.
struct Wire {
  int family;
  const char *set, *header, *address_type;
};
constexpr Wire kV4{AF_INET, "tcp4", "ip", "ipv4_addr"};
constexpr Wire kV6{AF_INET6, "tcp6", "ip6", "ipv6_addr"};

/// A chain, and where in a packet it finds our end and the peer's.
struct Hook {
  const char *chain, *place, *ours, *our_port, *peers, *peer_port;
};
constexpr Hook kHooks[] = {{"in", "input", "daddr", "dport", "saddr", "sport"},
                           {"out", "output", "saddr", "sport", "daddr", "dport"}};

std::string add_table(const std::string& table, const char* flags) {
  std::string text = format("add table inet %s {%s}\n", table.c_str(), flags);
  for (const Wire& wire : {kV4, kV6})
    text += format("add set inet %s %s { type %s . inet_service . %s . inet_service; }\n", table.c_str(), wire.set,
                   wire.address_type, wire.address_type);
  return text;
}

std::string add_elements(const std::string& table, const Wire& wire, const std::vector<Ends>& list) {
  if (list.empty()) return {};
  std::string text = format("add element inet %s %s {", table.c_str(), wire.set);
  for (const Ends& e : list) {
    char local[INET6_ADDRSTRLEN] = "", peer[INET6_ADDRSTRLEN] = "";
    inet_ntop(wire.family, e.local.data(), local, sizeof local);
    inet_ntop(wire.family, e.peer.data(), peer, sizeof peer);
    text += format(" %s . %u . %s . %u,", local, e.local_port, peer, e.peer_port);
  }
  text.back() = '}';
  return text + "\n";
}

std::string add_elements(const std::string& table, const HeldPackets& packets) {
  return add_elements(table, kV4, packets.v4) + add_elements(table, kV6, packets.v6);
}

/// Drops what the sets name, or everything.
std::string add_chains(const std::string& table, bool all) {
  std::string text;
  for (const Hook& hook : kHooks) {
    const std::string rule = format("add rule inet %s %s ", table.c_str(), hook.chain);
    text += format("add chain inet %s %s { type filter hook %s priority %d; policy accept; }\n", table.c_str(),
                   hook.chain, hook.place, kPriority);
    text += rule + format("meta mark 0x%x accept\n", kLockPassMark);
    if (all) text += rule + "drop\n";
    for (const Wire& wire : {kV4, kV6})
      if (!all)
        text += rule + format("%s %s . tcp %s . %s %s . tcp %s @%s drop\n", wire.header, hook.ours, hook.our_port,
                              wire.header, hook.peers, hook.peer_port, wire.set);
  }
  return text;
}

class NftFirewall : public Firewall {
 public:
  explicit NftFirewall(NftHelper& helper) : helper_(helper) {}
  void add(const std::string& table, const HeldPackets& packets, bool owned) override;
  void extend(const std::string& table, const HeldPackets& more) override {
    change("adding connections to a firewall table", add_elements(table, more));
    helper_.rehearse(removal({table}));
  }
  bool exists(const std::string& table) override {
    return helper_.run(format("list table inet %s\n", table.c_str())).empty();
  }
  void remove(const std::vector<std::string>& tables) override {
    change("removing a firewall table", removal(tables));
    for (const std::string& table : tables) owned_.erase(table);
  }

 private:
  std::string removal(const std::vector<std::string>& tables) const;
  void change(const char* what, const std::string& commands);

  NftHelper& helper_;
  std::set<std::string> owned_;
};

void NftFirewall::add(const std::string& table, const HeldPackets& packets, bool owned) {
  change("making a firewall table", add_table(table, owned ? " flags owner; " : "") + add_elements(table, packets) +
                                        add_chains(table, packets.all));
  if (!owned) return;
  owned_.insert(table);
  helper_.rehearse(removal({table}));
}

std::string NftFirewall::removal(const std::vector<std::string>& tables) const {
  std::string text;
  for (const std::string& table : tables) {
    // Added first where it need not be there, as a transaction that fails waits for all CPUs.
    if (!owned_.count(table)) text += format("add table inet %s\n", table.c_str());
    text += format("delete table inet %s\n", table.c_str());
  }
  return text;
}

void NftFirewall::change(const char* what, const std::string& commands) {
  const std::string error = helper_.run(commands);
  if (!error.empty())
    throw Error(Failure::environment, "network lock", std::string(what) + ": " + error,
                "the kernel needs CONFIG_NF_TABLES_INET and CAP_NET_ADMIN; or use --network-lock skip");
}

}  // namespace

std::unique_ptr<Firewall> make_nft_firewall(NftHelper& helper) { return std::make_unique<NftFirewall>(helper); }

}  // namespace nsr
