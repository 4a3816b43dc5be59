// The open files of a restore, opened once in the engine; the tasks inherit them and put them at their numbers.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "engine/descriptors/kind.h"
#include "engine/restore/image_set.h"
#include "engine/restore/options.h"

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
  /// A number that no table of a task has and nothing of the engine stands at, below the limit.
  int spare() const { return spare_; }
  /// The tree runs and the network is open again.
  void after_release();
  void set_connection_lock(ConnectionLock* lock) { lock_ = lock; }

  ImageDir& images() override { return images_; }
  const FileOptions& options() const override { return options_.files; }
  void provide(uint32_t file_id, UniqueFd fd) override;
  int fd_of(uint32_t file_id) override;
  const pb::file_entry* entry(uint32_t file_id) const override;
  const std::vector<const pb::file_entry*>& entries() const override { return entries_; }
  void fill_shared_memory(uint64_t shmid, int fd) override;
  bool has_holder(uint32_t file_id) const override { return held_.count(file_id) > 0; }
  ConnectionLock* connection_lock() override { return lock_; }
  bool can_relay() const override;
  void relay(UniqueFd master) override { relayed_ = std::move(master); }
  /// The master of a terminal that is to be relayed; empty when there is none.
  UniqueFd take_relayed() { return std::move(relayed_); }

 private:
  int free_number(int fd);
  void open_once(const pb::file_entry& entry);

  ImageDir& images_;
  const RestoreOptions& options_;
  const ImageSet& set_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::vector<const pb::file_entry*> entries_;
  std::map<uint32_t, UniqueFd> fds_;
  std::vector<UniqueFd> kept_;
  std::set<uint32_t> held_, opening_;
  std::set<int> numbers_;  ///< of all tables
  int spare_ = -1;
  ConnectionLock* lock_ = nullptr;
  UniqueFd relayed_;
};

}  // namespace nsr
