// The open files of a dump: one id for each open file description, one entry in files.img.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/base/error.h"
#include "engine/descriptors/kind.h"
#include "engine/descriptors/table.h"
#include "engine/dump/options.h"
#include "engine/images/image_dir.h"
#include "engine/memory/page_store.h"
#include "engine/namespaces/namespace_ids.h"
#include "engine/trace/pid_map.h"

namespace nsr {

/// DumpContext over a frozen tree. Usage: add_table for each descriptor table, then dump_all, then file_id_of for what
/// else refers to files, finish() last.
class DumpFiles final : public DumpContext {
 public:
  DumpFiles(ImageDir& images, const DumpOptions& options, const PidMap& pids, PageStore& pages,
            const NamespaceIds& namespaces, std::vector<std::unique_ptr<Kind>> kinds);

  /// Reads the table of a task under the number files_id; the descriptors `ours` are the engine's and left out.
  void add_table(HostPid pid, NsPid nspid, uint32_t files_id, const std::set<int>& ours);
  /// Dumps every file of the tables and writes fdinfo-*.img.
  void dump_all();
  /// Dumps every file that can be and returns why the others cannot, for a survey: only finish() may follow.
  std::vector<Error> try_all();
  /// Lets the kinds finish and writes files.img.
  void finish();
  /// Writes what tasks that live on need not wait for.
  void write_last();
  /// The images are complete and the tree is about to be killed.
  void before_kill();
  /// What holds live connections still; set before dump_all().
  void set_connection_lock(ConnectionLock* lock) { lock_ = lock; }
  void set_parking(std::vector<int> descriptors) { parking_ = std::move(descriptors); }

  ImageDir& images() override { return images_; }
  const FileOptions& options() const override { return options_.files; }
  const UserMap& users() const override { return namespaces_.users(); }
  UniqueFd borrow(const OpenFile& file) override;
  std::optional<NsPid> inner_pid(HostPid pid) const override { return pids_.inner(pid); }
  std::optional<HostPid> host_pid(NsPid pid) const override { return pids_.outer(pid); }
  uint32_t file_id_of(const OpenFile& file) override;
  uint32_t new_file_id() override { return next_id_++; }
  void add_file(const pb::file_entry& entry) override { entries_.push_back(entry); }
  const std::vector<OpenFile>& all_open_files() const override { return files_; }
  pb::fown_entry owner_of(int borrowed) const override;
  uint32_t namespace_id(uint32_t clone_flag, const OpenFile& file) override;
  void dump_shared_memory(uint64_t shmid, int fd, uint64_t length) override;
  ConnectionLock* connection_lock() override { return lock_; }
  std::vector<int> parking() const override { return parking_; }

 private:
  struct Table {
    uint32_t files_id;
    size_t first, count;  ///< in files_
  };
  uint32_t dump_one(const OpenFile& file);
  uint32_t id_of_descriptor(const OpenFile& file);
  Kind& kind_of(const OpenFile& file);

  ImageDir& images_;
  const DumpOptions& options_;
  const PidMap& pids_;
  PageStore& pages_;
  const NamespaceIds& namespaces_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::vector<OpenFile> files_;
  std::vector<Table> tables_;
  std::vector<pb::file_entry> entries_;
  std::unordered_map<uint32_t, pb::fd_types> types_;  ///< by file id
  std::map<HostPid, UniqueFd> pidfds_;
  // Descriptors of one inode are compared by kcmp among themselves only.
  std::map<std::tuple<dev_t, ino_t, uint32_t, std::string>, KcmpGroups> same_inode_;
  std::map<std::tuple<dev_t, ino_t, uint32_t, std::string>, uint32_t> linked_;
  uint32_t next_id_ = 1;
  ConnectionLock* lock_ = nullptr;
  std::vector<int> parking_;
};

}  // namespace nsr
