// Which process ids a set of images uses, read without protobuf: the launcher must know before it starts the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nsr {

/// What the images say about ids. ids is sorted and without duplicates: pids, tids, pgids and sids, ppids without 0.
struct ImageIds {
  std::vector<int32_t> ids;
  bool root_is_init = false;  ///< the first record of pstree.img is pid 1 of a pid namespace of its own

  bool uses(int32_t id) const;
  int32_t highest() const { return ids.empty() ? 0 : ids.back(); }
};

/// The number n of a file called "core-<n>.img"; nothing for any other name.
std::optional<int32_t> id_of_core_name(std::string_view file_name);

/// Adds the ids of a whole pstree.img: two header words, then records of u32 size and one message with the fields
/// pid=1, ppid=2, pgid=3, sid=4, threads=5 (repeated, packed or not); unknown fields are skipped. The bytes may be
/// hostile. False when they are damaged.
[[nodiscard]] bool add_pstree_ids(std::string_view file, ImageIds& into);

/// Sorts and removes duplicates; to be called when all ids have been added.
void settle(ImageIds& ids);

/// Reads a directory: names of the core images, content of pstree.img. A missing pstree.img adds nothing (the engine
/// tells what is wrong with the directory). Throws Error(image) when the directory cannot be read or pstree.img is
/// damaged.
ImageIds read_image_ids(const char* directory);

}  // namespace nsr
