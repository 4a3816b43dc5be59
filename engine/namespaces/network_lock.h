// The network held still while connections are taken out of the kernel and put back: a table of our own in nf_tables
// that drops their packets in both directions. Other connections are not touched.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/run_options.h"
#include "engine/descriptors/connection_lock.h"

namespace nsr {

class NftSocket;

/// One lock of one dump or restore. It is the kernel that removes it when this process dies, however it dies (the table
/// belongs to a netlink socket, Linux 5.12); the destructor removes it too, so a failed dump leaves nothing.
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
  /// Ends the lock: the tree runs (again).
  void release() noexcept;

 private:
  struct Held;
  void add_table(Held& held, const std::string& table, bool owned);

  NetworkLock method_;
  std::string run_id_, live_table_;
  std::map<uint64_t, std::unique_ptr<Held>> held_;  ///< by inode of the network namespace
};

/// A random UUID in its text form, for the inventory.
std::string new_run_id();
/// Name of the table that keep() of a run leaves; no user has such a name.
std::string kept_lock_table(const std::string& run_id);
/// Removes what keep() of that run left in the calling thread's network namespace (after a restore, or `unlock -D`).
/// False when there was nothing. Throws Error(environment).
bool remove_kept_lock(const std::string& run_id);

}  // namespace nsr
