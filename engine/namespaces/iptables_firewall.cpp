// The same rules by the programs iptables-restore and ip6tables-restore: a chain of our own in the table "filter",
// which INPUT and OUTPUT lead through first. Chains have no owner; a shell that waits for our death takes them away.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/base/run_program.h"
#include "engine/base/unique_fd.h"
#include "engine/namespaces/firewall.h"

namespace nsr {
namespace {

struct Protocol {
  int family;
  const char* program;
  const char* restore;
};
constexpr Protocol kV4{AF_INET, "iptables", "iptables-restore"};
constexpr Protocol kV6{AF_INET6, "ip6tables", "ip6tables-restore"};
constexpr const char* kWait = "--wait=5";  // seconds for the lock of all iptables programs

/// A chain's name has at most 28 characters: "nsr-", the first twelve of the run id's digits, and for a lock of a
/// living engine its number.
std::string chain_of(const std::string& table) {
  constexpr size_t kDigits = 12, kUuid = 36;
  const std::string id = table.substr(4, kUuid);
  std::string chain = "nsr-";
  for (const char c : id)
    if (c != '-' && chain.size() < 4 + kDigits) chain += c;
  const size_t live = table.find("-live-");
  return live == std::string::npos ? chain : chain + "-" + table.substr(live + 6);
}

std::string text_of(const std::string& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  return text;
}

std::string drop_rule(const std::string& chain, const std::string& from, uint16_t from_port, const std::string& to,
                      uint16_t to_port) {
  return format("-A %s -p tcp -s %s --sport %u -d %s --dport %u -j DROP\n", chain.c_str(), text_of(from).c_str(),
                from_port, text_of(to).c_str(), to_port);
}

/// Both directions, as the chain sees what comes in and what goes out.
std::string drop_rules(const std::string& chain, const std::vector<Ends>& list) {
  std::string rules;
  for (const Ends& e : list)
    rules += drop_rule(chain, e.local, e.local_port, e.peer, e.peer_port) +
             drop_rule(chain, e.peer, e.peer_port, e.local, e.local_port);
  return rules;
}

std::string make_rules(const std::string& chain, const std::vector<Ends>& list, bool all) {
  const char* name = chain.c_str();
  return format("*filter\n:%s - [0:0]\n-A %s -m mark --mark 0x%x -j RETURN\n", name, name, kLockPassMark) +
         (all ? format("-A %s -j DROP\n", name) : drop_rules(chain, list)) +
         format("-I INPUT 1 -j %s\n-I OUTPUT 1 -j %s\nCOMMIT\n", name, name);
}

std::string removal_rules(const std::string& chain) {
  const char* name = chain.c_str();
  return format("*filter\n-D INPUT -j %s\n-D OUTPUT -j %s\n-F %s\n-X %s\nCOMMIT\n", name, name, name, name);
}

void change(const Protocol& protocol, const std::string& rules, const char* what) {
  const ProgramResult result = run_program({protocol.restore, "--noflush", kWait}, rules);
  if (result.status != 0)
    throw Error(Failure::environment, "network lock",
                format("%s: %s ended with %d: %s", what, protocol.restore, result.status,
                       result.errors.substr(0, result.errors.find('\n')).c_str()),
                "the kernel needs iptables and CAP_NET_ADMIN; or use --network-lock nftables or skip");
}

bool has_chain(const Protocol& protocol, const std::string& chain) {
  return run_program({protocol.program, kWait, "-n", "-L", chain}, "").status == 0;
}

/// Takes a chain away when this process is gone without having done so. Lives as long as this object or a little
/// longer.
class Undertaker {
 public:
  explicit Undertaker(const std::string& chain) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw_errno(Failure::environment, "network lock", "socketpair", errno);
    const UniqueFd waiting(ends[0]);
    word_ = UniqueFd(ends[1]);
    // The chain may not be there for one of the protocols.
    const std::string script = "(read word <&3 || for p in iptables ip6tables; do printf '" +
                               quoted(removal_rules(chain)) +
                               "' | $p-restore --noflush --wait=30 2>/dev/null; done) >/dev/null 2>&1 </dev/null &";
    if (const auto result = run_program({"sh", "-c", script}, "", waiting.get()); result.status != 0)
      throw Error(Failure::environment, "network lock", "sh cannot be run: " + result.errors);
  }
  Undertaker(const Undertaker&) = delete;
  Undertaker& operator=(const Undertaker&) = delete;
  ~Undertaker() {
    // When the shell is gone already there is nobody left to be told.
    if (send(word_.get(), "rest\n", 5, MSG_NOSIGNAL) < 0) word_.reset();
  }

 private:
  /// Line ends as printf(1) has them; the rules have neither quotes nor percent signs.
  static std::string quoted(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
    return out;
  }
  UniqueFd word_;
};

class IptablesFirewall : public Firewall {
 public:
  void add(const std::string& table, const HeldPackets& packets, bool owned) override;
  void extend(const std::string& table, const HeldPackets& more) override;
  bool exists(const std::string& table) override;
  void remove(const std::vector<std::string>& tables) override;

 private:
  std::map<std::string, std::unique_ptr<Undertaker>> undertakers_;  ///< by chain
};

void IptablesFirewall::add(const std::string& table, const HeldPackets& packets, bool owned) {
  const std::string chain = chain_of(table);
  if (owned) undertakers_[chain] = std::make_unique<Undertaker>(chain);
  // Both at once are not to be had; a connection has one protocol.
  if (packets.all || !packets.v4.empty()) change(kV4, make_rules(chain, packets.v4, packets.all), "making a chain");
  if (packets.all || !packets.v6.empty()) change(kV6, make_rules(chain, packets.v6, packets.all), "making a chain");
}

void IptablesFirewall::extend(const std::string& table, const HeldPackets& more) {
  const std::string chain = chain_of(table);
  const auto extend = [&](const Protocol& protocol, const std::vector<Ends>& list) {
    if (list.empty()) return;
    const bool there = has_chain(protocol, chain);
    change(protocol, there ? "*filter\n" + drop_rules(chain, list) + "COMMIT\n" : make_rules(chain, list, false),
           "adding connections to a chain");
  };
  extend(kV4, more.v4);
  extend(kV6, more.v6);
}

bool IptablesFirewall::exists(const std::string& table) {
  return has_chain(kV4, chain_of(table)) || has_chain(kV6, chain_of(table));
}

void IptablesFirewall::remove(const std::vector<std::string>& tables) {
  for (const std::string& table : tables) {
    const std::string chain = chain_of(table);
    for (const Protocol& protocol : {kV4, kV6})
      if (has_chain(protocol, chain)) change(protocol, removal_rules(chain), "removing a chain");
    undertakers_.erase(chain);
  }
}

}  // namespace

std::unique_ptr<Firewall> make_iptables_firewall() { return std::make_unique<IptablesFirewall>(); }

}  // namespace nsr
