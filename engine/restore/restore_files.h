// The open files of a restore, opened once in the engine; the tasks inherit them and put them at their numbers. Where
// there are more than one process may have, the engine parks what it has opened in processes that only hold them, and
// sends each task those that are its own.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "engine/descriptors/kind.h"
#include "engine/restore/descriptor_vault.h"
#include "engine/restore/image_set.h"
#include "engine/restore/options.h"
#include "engine/restore/spare_ids.h"

namespace nsr {

class RestoreFiles final : public RestoreContext {
 public:
  RestoreFiles(ImageDir& images, const RestoreOptions& options, const ImageSet& set,
               std::vector<std::unique_ptr<Kind>> kinds);

  /// Which kind an entry is of; throws Error(image) when none is.
  Kind& kind_of(const pb::file_entry& entry) const;
  const std::vector<std::unique_ptr<Kind>>& kinds() const { return kinds_; }
  /// Opens everything and lets the kinds finish.
  void open_all();
  /// A descriptor of the engine's own that tasks use too (pages images): lives as long as this.
  int keep(UniqueFd fd);
  /// Whether the tasks inherit this file; else deliver() has to send it to those that have it.
  bool is_inherited(uint32_t file_id) const { return fds_.count(file_id) > 0; }
  /// Number of a socket in whose queue these files wait, in this order, in messages of kMostRights
  /// (engine/descriptors/delivery.h) and a rest.
  int deliver(const std::vector<uint32_t>& file_ids);
  /// All programs are built: what was parked is with the tasks' sockets now.
  void end_parking();
  /// How many descriptors the tasks may have while they are built.
  int most_descriptors() const { return most_; }
  /// The tree runs and the network is open again.
  void before_release();
  void after_release();
  void set_connection_lock(ConnectionLock* lock) { lock_ = lock; }
  void set_tree_proc(int fd) { tree_proc_ = fd; }
  void set_users(const UserMap& users) { users_ = users; }

  ImageDir& images() override { return images_; }
  const FileOptions& options() const override { return options_.files; }
  const UserMap& users() const override { return users_; }
  void provide(uint32_t file_id, UniqueFd fd) override;
  int fd_of(uint32_t file_id) override;
  void make_room() override;
  const pb::file_entry* entry(uint32_t file_id) const override;
  const std::vector<const pb::file_entry*>& entries() const override { return entries_; }
  void fill_shared_memory(uint64_t shmid, int fd) override;
  bool has_holder(uint32_t file_id) const override { return held_.count(file_id) > 0; }
  ConnectionLock* connection_lock() override { return lock_; }
  bool can_relay() const override;
  void relay(UniqueFd master) override { relayed_ = std::move(master); }
  /// The master of a terminal that is to be relayed; empty when there is none.
  UniqueFd take_relayed() { return std::move(relayed_); }
  int tree_proc() const override { return tree_proc_; }

 private:
  /// Where a parked file is.
  struct Place {
    size_t vault;
    int number;
  };
  void open_once(const pb::file_entry& entry);
  void park();
  void send(int socket, const uint32_t* file_ids, size_t count);

  ImageDir& images_;
  const RestoreOptions& options_;
  const ImageSet& set_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::vector<const pb::file_entry*> entries_;
  std::map<uint32_t, UniqueFd> fds_;  ///< what is open here
  std::map<uint32_t, Place> parked_;  ///< some of it may be open here, too
  std::vector<std::unique_ptr<DescriptorVault>> vaults_;
  SpareIds spare_ids_;
  int highest_ = 0;  ///< number that was given since the last parking
  int limit_ = 0;    ///< of what may be open here before some of it is parked
  int most_ = 0;     ///< that a process may have
  std::vector<UniqueFd> kept_;
  std::set<uint32_t> held_, opening_;
  int tree_proc_ = -1;
  UserMap users_;
  ConnectionLock* lock_ = nullptr;
  UniqueFd relayed_;
};

}  // namespace nsr
