// What holds packets back: the two firewalls of the kernel behind one face. A table is a set of rules of our own under
// a name that no user has; it drops packets of some connections, or all, in both directions, except those that a
// restore marks (kLockPassMark).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/run_options.h"
#include "engine/descriptors/connection_lock.h"

namespace nsr {

/// One direction of a connection as it is on the wire.
struct Direction {
  std::string from, to;  ///< address bytes: 4 or 16
  uint16_t from_port = 0, to_port = 0;
  bool operator<(const Direction& o) const;
  bool operator==(const Direction& o) const = default;
};

/// Both directions of each, by protocol, none twice. v4-mapped addresses are spoken as IPv4.
struct Directions {
  explicit Directions(std::span<const Connection> connections);
  Directions() = default;
  void add(const Directions& more);
  std::vector<Direction> v4, v6;
  bool all = false;  ///< every packet of any protocol, whatever the lists say
};

/// A firewall of the network namespace that the thread was in when it was made.
class Firewall {
 public:
  virtual ~Firewall() = default;
  /// Makes a table. `owned`: it does not outlive this process, however it ends. Throws Error(environment).
  virtual void add(const std::string& table, const Directions& directions, bool owned) = 0;
  /// Adds connections to a table that add() has made.
  virtual void extend(const std::string& table, const Directions& more) = 0;
  /// False when there is no such table. Throws Error(environment).
  virtual bool remove(const std::string& table) = 0;
};

/// nftables or iptables. Throws Error(environment) when the kernel or the program is not there.
std::unique_ptr<Firewall> make_firewall(NetworkLock method);
std::unique_ptr<Firewall> make_nft_firewall();
std::unique_ptr<Firewall> make_iptables_firewall();

}  // namespace nsr
