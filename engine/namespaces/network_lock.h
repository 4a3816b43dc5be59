// The network held still while connections are taken out of the kernel and put back: a table of our own in the firewall
// that drops their packets in both directions. Other connections are not touched, except in a network namespace that is
// the tree's own: there nothing moves.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/run_options.h"
#include "engine/base/unique_fd.h"
#include "engine/descriptors/connection_lock.h"
#include "engine/namespaces/firewall.h"
#include "engine/namespaces/nft_helper.h"

namespace nsr {

/// One lock of one dump or restore. It goes when this process dies, however it dies (engine/namespaces/firewall.h); the
/// destructor removes it too, so a failed dump leaves nothing.
class NetworkHold : public ConnectionLock {
 public:
  /// run_id names the tables: the inventory's dump_criu_run_id, so that the next run finds what keep() left.
  NetworkHold(NetworkLock method, std::string run_id);
  /// Waits until the firewall has forgotten our rules.
  ~NetworkHold() override;
  NetworkHold(const NetworkHold&) = delete;
  NetworkHold& operator=(const NetworkHold&) = delete;

  /// Something will be held: starts what that needs and does not wait for it. spare_id: as for NftHelper.
  void get_ready(const std::function<NsPid()>& spare_id = {});
  void hold(std::span<const Connection> connections, int socket) override;
  /// Drops every packet in a network namespace that belongs to the tree alone.
  void hold_all(int namespace_fd);
  /// Whether anything is held.
  bool active() const { return !held_.empty(); }
  /// Turns the lock into one that outlives this process: the dump is complete, the tree is killed and somebody will
  /// restore it. Throws Error(environment); then the tree must not be killed.
  void keep();
  /// Throws Error(environment) when what was held is not held any more.
  void check() const;
  /// Ends the lock: the tree runs (again). What the firewall needs time for is done when the object goes.
  void release() noexcept;
  /// Ends the lock and what keep() of this run has left in the engine's network namespace. Throws Error(environment).
  void open();
  /// Removes what keep() of this run has left in the calling thread's network namespace (`unlock -D`). False when there
  /// was nothing. Throws Error(environment).
  bool remove_kept();

 private:
  struct Held {
    UniqueFd net;  ///< empty: the engine's own
    std::unique_ptr<Firewall> firewall;
    HeldPackets packets;
    std::chrono::steady_clock::time_point since;
  };
  void add(uint64_t net, UniqueFd net_fd, HeldPackets packets);
  void let_go(Held& held, const std::vector<std::string>& tables);
  std::unique_ptr<Firewall> make_firewall();

  NetworkLock method_;
  std::string run_id_, live_table_;
  uint64_t own_net_;
  std::unique_ptr<NftHelper> helper_;  ///< with nftables, once it is needed
  std::map<uint64_t, Held> held_;      ///< by inode of the network namespace
};

/// A random UUID in its text form, for the inventory.
std::string new_run_id();
/// Name of the table that keep() of a run leaves; no user has such a name.
std::string kept_lock_table(const std::string& run_id);

}  // namespace nsr
