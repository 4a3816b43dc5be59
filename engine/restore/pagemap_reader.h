// Where the pages of tasks stand: pagemap images, and what they leave to a parent directory (PE_PARENT).
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "engine/images/image_dir.h"
#include "engine/restore/image_set.h"

namespace nsr {

class PagemapReader {
 public:
  /// files: gets the pages images that the runs refer to, each once however many names it has.
  PagemapReader(const ImageDir& dir, std::vector<std::string>& files) : dir_(dir), files_(files) {}

  /// All pages of a task, ascending. Throws Error(image) for an impossible pagemap, and for pages that no parent has.
  std::vector<PageRun> read(NsPid pid);

 private:
  std::vector<PageRun> read_level(NsPid pid, size_t level);
  /// What the level below this one has, perhaps nothing.
  std::vector<PageRun> read_below(NsPid pid, size_t level);
  const ImageDir& directory(size_t level);
  size_t file_of(size_t level, uint32_t pages_id);

  const ImageDir& dir_;
  std::vector<std::string>& files_;
  std::deque<ImageDir> parents_;  ///< by level - 1
  std::map<std::pair<uint64_t, uint64_t>, size_t> by_inode_;
  std::map<std::string, size_t> by_path_;
};

}  // namespace nsr
