// The network held still while connections are taken out of the kernel and put back: a table of our own in the firewall
// that drops their packets in both directions. Other connections are not touched, except in a network namespace that is
// the tree's own: there nothing moves.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/run_options.h"
#include "engine/base/unique_fd.h"
#include "engine/descriptors/connection_lock.h"
#include "engine/namespaces/firewall.h"

namespace nsr {

/// One lock of one dump or restore. It goes when this process dies, however it dies (engine/namespaces/firewall.h); the
/// destructor removes it too, so a failed dump leaves nothing.
class NetworkHold : public ConnectionLock {
 public:
  /// run_id names the tables: the inventory's dump_criu_run_id, so that the next run finds what keep() left.
  NetworkHold(NetworkLock method, std::string run_id);
  ~NetworkHold() override;
  NetworkHold(const NetworkHold&) = delete;
  NetworkHold& operator=(const NetworkHold&) = delete;

  void hold(std::span<const Connection> connections, int socket) override;
  /// Drops every packet in a network namespace that belongs to the tree alone.
  void hold_all(int namespace_fd);
  /// Whether anything is held.
  bool active() const { return !held_.empty(); }
  /// Turns the lock into one that outlives this process: the dump is complete, the tree is killed and somebody will
  /// restore it. Throws Error(environment); then the tree must not be killed.
  void keep();
  /// Ends the lock: the tree runs (again). What the firewall needs time for is done when the object goes.
  void release() noexcept;
  /// Ends the lock and what keep() of this run has left in the engine's network namespace. Throws Error(environment).
  void open();

 private:
  struct Held {
    UniqueFd net;  ///< empty: the engine's own
    std::unique_ptr<Firewall> firewall;
    Directions directions;
    std::chrono::steady_clock::time_point since;
  };
  Held& add(uint64_t net, UniqueFd net_fd, Directions directions);

  NetworkLock method_;
  std::string run_id_, live_table_;
  uint64_t own_net_;
  std::map<uint64_t, Held> held_;  ///< by inode of the network namespace
  std::vector<Held> released_;
};

/// A random UUID in its text form, for the inventory.
std::string new_run_id();
/// Name of the table that keep() of a run leaves; no user has such a name.
std::string kept_lock_table(const std::string& run_id);
/// Removes what keep() of that run left in the calling thread's network namespace (`unlock -D`). False when there was
/// nothing. Throws Error(environment).
bool remove_kept_lock(NetworkLock method, const std::string& run_id);

}  // namespace nsr
