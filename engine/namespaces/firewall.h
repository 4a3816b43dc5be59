// What holds packets back: the two firewalls of the kernel behind one face. A table is a set of rules of our own under
// a name that no user has; it drops packets of some connections, or all, in both directions, except those that a
// restore marks (kLockPassMark).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/descriptors/connection_lock.h"

namespace nsr {

/// The two ends of a connection as they are on the wire.
struct Ends {
  std::string local, peer;  ///< address bytes: 4 or 16
  uint16_t local_port = 0, peer_port = 0;
  bool operator<(const Ends& o) const;
  bool operator==(const Ends& o) const = default;
};

/// Connections by protocol, none twice. v4-mapped addresses are spoken as IPv4.
struct HeldPackets {
  explicit HeldPackets(std::span<const Connection> connections);
  HeldPackets() = default;
  void add(const HeldPackets& more);
  std::vector<Ends> v4, v6;
  bool all = false;  ///< every packet of any protocol, whatever the lists say
};

/// A firewall of the network namespace that the calling thread is in.
class Firewall {
 public:
  virtual ~Firewall() = default;
  /// Makes a table, all at once: when it is there it holds. `owned`: it does not outlive this process, however that
  /// ends. All functions throw Error(environment).
  virtual void add(const std::string& table, const HeldPackets& packets, bool owned) = 0;
  /// Adds connections to a table that add() has made.
  virtual void extend(const std::string& table, const HeldPackets& more) = 0;
  virtual bool exists(const std::string& table) = 0;
  /// Removes tables, if they are there.
  virtual void remove(const std::vector<std::string>& tables) = 0;
};

class NftHelper;
std::unique_ptr<Firewall> make_nft_firewall(NftHelper& helper);
std::unique_ptr<Firewall> make_iptables_firewall();

}  // namespace nsr
