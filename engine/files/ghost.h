// Files without a name: their content travels in ghost-file-<id>.img (dump) and comes back as a file that is made,
// filled and unlinked (restore). Regular files with holes kept, directories, symbolic links, FIFOs and devices.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/unique_fd.h"
#include "engine/descriptors/kind.h"

namespace nsr {

class GhostDump {
 public:
  /// Id of the ghost image of this nameless file, written at the first call for its inode. Throws Error(unsupported)
  /// when its allocated blocks exceed --ghost-limit.
  uint32_t ghost_id(const OpenFile& file, DumpContext& ctx);

 private:
  std::map<std::pair<dev_t, ino_t>, uint32_t> ids_;
};

class GhostRestore {
 public:
  /// To be told of every entry of a ghost before the first handle() for it: all its names, and flags that tell of a
  /// file that was opened with O_TMPFILE and never had a name.
  void expect(uint32_t ghost_id, const std::string& name, uint32_t flags);
  /// An O_PATH view of the ghost, to be opened again through /proc/self/fd. The first call for an id makes it: under
  /// each name it had when that is free, else under NAME.cr.<id>.ghost; its names are gone again when this returns.
  /// Throws Error(environment) and leaves no name behind when that fails.
  int handle(uint32_t ghost_id, const std::string& name, RestoreContext& ctx);
  /// Opens it with these open(2) flags. A regular file of which every expected entry was opened is forgotten then,
  /// unless there are watches that may be of it.
  UniqueFd open(uint32_t ghost_id, const std::string& name, int flags, RestoreContext& ctx);
  /// The description that open(2) with O_TMPFILE made, as long as nobody has taken it; else empty.
  UniqueFd take_unnamed(uint32_t ghost_id);

 private:
  struct Ghost {
    std::map<std::string, UniqueFd> handles;  ///< by name; empty ones until it is made
    uint32_t unnamed_flags = 0;               ///< O_TMPFILE and the flags beside it
    UniqueFd unnamed;
    bool made = false, regular = false;
    size_t expected = 0, opened = 0;  ///< entries
  };
  static void make(uint32_t id, Ghost& ghost, RestoreContext& ctx);
  bool has_watches(RestoreContext& ctx);

  std::map<uint32_t, Ghost> ghosts_;
  std::optional<bool> has_watches_;
};

}  // namespace nsr
