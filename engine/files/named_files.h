// Files that are found again by their path, and those that have lost it: what regular files, FIFOs and others share.
// One object serves all kinds of one dump or restore, so that ghosts and link remaps are numbered and made once.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/files/common.h"
#include "engine/files/ghost.h"
#include "engine/files/kinds.h"
#include "engine/files/task_paths.h"

namespace nsr {

class NamedFiles {
 public:
  /// How the path of an entry is to be read (remap-fpath.img).
  struct Remap {
    uint32_t id = 0;  ///< ghost id, file id, or pid
    int type = 0;     ///< pb::remap_type
  };

  NamedFiles() = default;
  NamedFiles(const NamedFiles&) = delete;
  NamedFiles& operator=(const NamedFiles&) = delete;
  ~NamedFiles();

  // ---- dump
  /// Fills all of reg but its id, writes ghost and remap images where they are needed. id is the file id of the entry.
  void dump(const OpenFile& file, uint32_t id, pb::reg_file_entry& reg, DumpContext& ctx);
  /// The same for an entry of its own that no descriptor has, added to files.img. Returns its id.
  uint32_t dump_extra(const OpenFile& file, DumpContext& ctx);
  /// The dump came to its end: names made for link remaps stay.
  void keep_links() { made_links_.clear(); }
  TaskPaths& paths() { return paths_; }

  // ---- restore
  /// Opens it with these open(2) flags at the place its remap says, and checks that it is the file that was dumped.
  UniqueFd open(const pb::reg_file_entry& reg, int flags, RestoreContext& ctx);
  const Remap* remap_of(uint32_t id, RestoreContext& ctx);
  /// Whether the entry only says where a file's temporary name is.
  bool is_link_target(uint32_t id, RestoreContext& ctx);
  /// An O_PATH view of a deleted file by the device (kernel encoding) and inode it had; -1 when it is none of ours.
  int ghost_by_inode(uint32_t dev, uint64_t ino, RestoreContext& ctx);
  /// Removes the names of link remaps that were used.
  void remove_links();

 private:
  using Inode = std::pair<dev_t, ino_t>;

  std::string name_of(const OpenFile& file, uint32_t id, DumpContext& ctx);
  bool leads_to(const OpenFile& file, const std::string& path);
  /// Another name of the file in the directory of this one.
  std::optional<std::string> name_beside(const OpenFile& file, const std::string& path);
  void dump_ghost(const OpenFile& file, uint32_t id, DumpContext& ctx);
  void dump_link(const OpenFile& file, const std::string& path, uint32_t id, DumpContext& ctx);
  void dump_content_marks(const OpenFile& file, int borrowed, pb::reg_file_entry& reg, DumpContext& ctx);
  /// Mount point for open_beneath(), or nullptr.
  const std::string* beneath_of(uint32_t id, RestoreContext& ctx);
  UniqueFd open_ghost(const pb::reg_file_entry& reg, uint32_t id, int flags, RestoreContext& ctx);
  UniqueFd open_remapped(const pb::reg_file_entry& reg, const Remap& remap, int flags, RestoreContext& ctx);

  TaskPaths paths_;
  GhostDump ghost_dump_;
  GhostRestore ghost_restore_;
  std::map<Inode, std::vector<uint32_t>> build_ids_;
  std::map<Inode, uint32_t> links_;      ///< inode -> file id of its link_remap entry
  std::vector<std::string> made_links_;  ///< taken back when the dump fails
  std::map<uint32_t, Remap> remaps_;
  bool remaps_read_ = false;
  std::set<uint32_t> link_targets_;
  std::map<uint32_t, std::string> beneath_;
  bool beneath_read_ = false;
  std::set<std::string> used_links_;  ///< unlinked when all files are open
};

/// Throws Error(environment) when a file found at its path is not the one that was dumped: type, mode, size
/// and build id as far as the image has them.
void validate_file(int fd, const pb::reg_file_entry& reg, const FileOptions& options);

/// Why a device cannot be kept, or nullptr when it is one that is opened again by its path.
const char* device_refusal(dev_t rdev, const std::string& path);

}  // namespace nsr
