// The descriptor tables of the images, for kinds that must know under which numbers their files will be.
#pragma once

#include <map>
#include <vector>

#include "engine/descriptors/kind.h"

namespace nsr {

/// Read at the first question; in the order of pstree.img, shared tables once.
class Tables {
 public:
  /// The first table that holds the file; nullptr when none does.
  const std::vector<pb::fdinfo_entry>* first_with(uint32_t file_id, RestoreContext& ctx);
  /// How many tables hold it.
  size_t count_with(uint32_t file_id, RestoreContext& ctx);
  /// Whether the table of this process holds it.
  bool holds(NsPid pid, uint32_t file_id, RestoreContext& ctx);

 private:
  void read(RestoreContext& ctx);

  bool read_ = false;
  std::vector<std::vector<pb::fdinfo_entry>> tables_;
  std::map<uint32_t, std::vector<size_t>> with_;  ///< file id -> indices of the tables that hold it
  std::map<NsPid, size_t> of_;                    ///< process -> index of its table
};

}  // namespace nsr
