// A dump and a restore of descriptors inside one process: the kinds under test see real kernel objects and a real image
// directory, only the task is this one.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/descriptors/kind.h"
#include "engine/descriptors/open_file.h"
#include "engine/descriptors/options.h"
#include "engine/images/image_dir.h"
#include "inventory.pb.h"

/// For kinds that only CAP_NET_ADMIN can look at.
#define NSR_NEEDS_ROOT           \
  if (geteuid() != 0) {          \
    WARN("skipped: needs root"); \
    return;                      \
  }                              \
  static_assert(true)

namespace nsr::fake {

using Kinds = std::vector<std::unique_ptr<Kind>>;

/// A directory that goes with the test.
struct TempDir {
  std::string path;
  TempDir() {
    char name[] = "/tmp/nsr-unit-XXXXXX";
    path = mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path); }
};

class Dump : public DumpContext {
 public:
  Dump(const std::string& dir, Kinds& kinds, FileOptions options = {})
      : images_(dir), kinds_(kinds), options_(std::move(options)) {
    images_.begin_dump();
  }
  using WriteMore = std::function<void(const std::vector<uint32_t>& file_ids)>;
  /// Descriptors of this process; returns their file ids in order. write_more: for images beside those of the kinds.
  std::vector<uint32_t> run(const std::vector<int>& fds, const WriteMore& write_more = {}) {
    for (int fd : fds) all_.push_back(*look_at(HostPid(getpid()), NsPid(getpid()), fd));
    std::vector<uint32_t> ids;
    for (const OpenFile& file : all_) ids.push_back(file_id_of(file));
    for (auto& kind : kinds_) kind->finish_dump(*this);
    for (auto& kind : kinds_) kind->write_last(*this);
    for (const auto& entry : entries) images_.append(Img::files).write(entry);
    if (write_more) write_more(ids);
    pb::inventory_entry inventory;
    inventory.set_img_version(2);
    images_.commit(inventory);
    return ids;
  }
  /// The moment before the tree is killed.
  void before_kill() {
    for (auto& kind : kinds_) kind->before_kill(*this);
  }
  std::vector<pb::file_entry> entries;
  ConnectionLock* lock = nullptr;
  ConnectionLock* connection_lock() override { return lock; }

  ImageDir& images() override { return images_; }
  const FileOptions& options() const override { return options_; }
  UniqueFd borrow(const OpenFile& file) override {
    return UniqueFd(file.fd >= 0 ? fcntl(file.fd, F_DUPFD_CLOEXEC, 0)
                                 : open(file.proc_path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  std::optional<NsPid> inner_pid(HostPid pid) const override {
    return pid.value == getpid() ? std::optional(NsPid(getpid())) : std::nullopt;
  }
  std::optional<HostPid> host_pid(NsPid pid) const override {
    return pid.value == getpid() ? std::optional(HostPid(getpid())) : std::nullopt;
  }
  /// Files of one inode count as one here.
  uint32_t file_id_of(const OpenFile& file) override {
    uint32_t& id = by_inode_[{file.st.st_dev, file.st.st_ino}];
    if (id != 0) return id;
    id = new_file_id();
    for (auto& kind : kinds_) {
      if (!kind->match(file)) continue;
      pb::file_entry entry;
      entry.set_id(id);
      const uint32_t mine = id;
      kind->dump(file, entry, *this);
      entries.push_back(entry);
      return mine;
    }
    throw Error(Failure::unsupported, file.describe(), "no kind under test matches");
  }
  uint32_t new_file_id() override { return ++last_id_; }
  void add_file(const pb::file_entry& entry) override { entries.push_back(entry); }
  const std::vector<OpenFile>& all_open_files() const override { return all_; }
  pb::fown_entry owner_of(int) const override {
    pb::fown_entry none;
    none.set_uid(0), none.set_euid(0), none.set_signum(0), none.set_pid_type(0), none.set_pid(0);
    return none;
  }
  void dump_shared_memory(uint64_t, int, uint64_t) override { FAIL("no shared memory in this test"); }

 private:
  ImageDir images_;
  Kinds& kinds_;
  FileOptions options_;
  std::vector<OpenFile> all_;
  std::map<std::pair<dev_t, ino_t>, uint32_t> by_inode_;
  uint32_t last_id_ = 0;
};

class Restore : public RestoreContext {
 public:
  Restore(const std::string& dir, Kinds& kinds, FileOptions options = {})
      : images_(dir), kinds_(kinds), options_(std::move(options)) {
    stored_ = images_.all<pb::file_entry>(Img::files);
    for (const auto& entry : stored_) {
      entries_.push_back(&entry);
      by_id_[entry.id()] = &entry;
    }
  }
  /// Opens everything; descriptors stay in `fds`.
  void run() {
    for (const auto* entry : entries_)
      if (!fds.count(entry->id())) open_entry(*entry);
    for (auto& kind : kinds_) kind->finish_restore(*this);
    for (auto& kind : kinds_) kind->before_release();
  }
  int fd(uint32_t id) const { return fds.at(id).get(); }
  std::map<uint32_t, UniqueFd> fds;
  ConnectionLock* lock = nullptr;
  ConnectionLock* connection_lock() override { return lock; }

  ImageDir& images() override { return images_; }
  const FileOptions& options() const override { return options_; }
  void provide(uint32_t file_id, UniqueFd fd) override {
    REQUIRE(fds.count(file_id) == 0);
    REQUIRE((fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
    fds[file_id] = std::move(fd);
  }
  int fd_of(uint32_t file_id) override {
    if (!fds.count(file_id)) open_entry(*by_id_.at(file_id));
    return fds.at(file_id).get();
  }
  const pb::file_entry* entry(uint32_t file_id) const override {
    const auto it = by_id_.find(file_id);
    return it == by_id_.end() ? nullptr : it->second;
  }
  const std::vector<const pb::file_entry*>& entries() const override { return entries_; }
  void fill_shared_memory(uint64_t, int) override { FAIL("no shared memory in this test"); }
  bool has_holder(uint32_t) const override { return true; }

 private:
  void open_entry(const pb::file_entry& entry) {
    for (auto& kind : kinds_)
      if (kind->owns(entry)) return kind->open(entry, *this);
    FAIL("no kind under test owns entry " << entry.id());
  }
  ImageDir images_;
  Kinds& kinds_;
  FileOptions options_;
  std::vector<pb::file_entry> stored_;
  std::vector<const pb::file_entry*> entries_;
  std::map<uint32_t, const pb::file_entry*> by_id_;
};

}  // namespace nsr::fake
