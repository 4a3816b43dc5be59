// Regular files, directories, symbolic links and plain character devices: whatever is found again by its path.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/files/common.h"
#include "engine/files/ghost.h"
#include "engine/files/kinds.h"
#include "engine/files/task_paths.h"

namespace nsr {

class Regular : public Kind {
 public:
  ~Regular() override;
  const char* name() const override { return "file"; }
  bool match(const OpenFile& file) const override;
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override;
  void finish_dump(DumpContext& ctx) override;
  bool owns(const pb::file_entry& entry) const override;
  std::string describe(const pb::file_entry& entry) const override;
  void open(const pb::file_entry& entry, RestoreContext& ctx) override;
  void finish_restore(RestoreContext& ctx) override;

 private:
  struct Remap {
    uint32_t id = 0;
    int type = 0;
  };
  using Inode = std::pair<dev_t, ino_t>;

  // dump
  std::string name_of(const OpenFile& file, uint32_t id, DumpContext& ctx);
  bool leads_to(const OpenFile& file, const std::string& path);
  void dump_ghost(const OpenFile& file, uint32_t id, DumpContext& ctx);
  void dump_link(const OpenFile& file, const std::string& path, uint32_t id, DumpContext& ctx);
  void dump_content_marks(const OpenFile& file, int borrowed, pb::reg_file_entry& reg, DumpContext& ctx);

  // restore
  const Remap* remap_of(uint32_t id, RestoreContext& ctx);
  UniqueFd open_remapped(const pb::reg_file_entry& reg, const Remap& remap, RestoreContext& ctx);

  TaskPaths paths_;
  GhostDump ghost_dump_;
  GhostRestore ghost_restore_;
  std::map<Inode, std::vector<uint32_t>> build_ids_;
  std::map<Inode, uint32_t> links_;      ///< inode -> file id of its link_remap entry
  std::vector<std::string> made_links_;  ///< taken back when the dump fails
  std::map<uint32_t, Remap> remaps_;
  bool remaps_read_ = false;
  std::set<std::string> used_links_;  ///< unlinked when all files are open
};

/// Throws Error(environment) when a file found at its path is not the one that was dumped: type, mode, size
/// and build id as far as the image has them.
void validate_file(int fd, const pb::reg_file_entry& reg, const FileOptions& options);

/// Why a device cannot be kept, or nullptr when it is one that is opened again by its path.
const char* device_refusal(dev_t rdev, const std::string& path);

}  // namespace nsr
