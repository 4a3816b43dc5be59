// The page store of a dump: pagemap-*.img and pages-*.img.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/base/ids.h"
#include "engine/images/image_dir.h"
#include "engine/memory/page_range.h"

namespace nsr {

/// Counts for the statistics.
struct PageCounts {
  uint64_t scanned = 0, written = 0, shared_scanned = 0, shared_written = 0;
};

class PageBuffer;
class PagesFile;

/// Writes page images of one dump, each pagemap with its own pages file.
class PageStore {
 public:
  explicit PageStore(ImageDir& images);
  ~PageStore();
  /// From here on pages of tasks go into memory, about this much, until write_held().
  void hold(uint64_t bytes);
  /// What the thread that writes does again and again while it writes pages of tasks; an error there ends the writing.
  void do_meanwhile(std::function<void()> work) { meanwhile_ = std::move(work); }
  /// Brings what is held into its files. To be called before the images are complete.
  void write_held();
  /// Pages of a task: ranges ascending; lazy marks what a lazy restore may leave out at first (private anonymous).
  struct TaskRange {
    PageRange range;
    bool lazy;
    bool private_memory = true;  ///< false for the vDSO
  };
  /// cow: the task shares pages with others of the tree since fork, which must stay so. elsewhere: those of its pages
  /// that stand in another image (engine/memory/pagemap_links.h). Returns the number of the pages image.
  uint32_t write_task(HostPid pid, NsPid nspid, const std::vector<TaskRange>& ranges, bool cow,
                      const PageRanges& elsewhere);
  /// Pages of several tasks, ascending.
  struct CommonRange {
    PageRange range;
    HostPid pid;  ///< one of those who have them
  };
  /// A common pagemap of engine/memory/pagemap_links.h. elsewhere: what its users look for behind it.
  uint32_t write_common(size_t index, const std::vector<CommonRange>& ranges, const PageRanges& elsewhere);
  /// Data of a file-like memory object, holes left out; shmid numbers the image.
  void write_shared(uint64_t shmid, int fd, uint64_t length);
  PageCounts& counts() { return counts_; }

 private:
  /// Returns how many pages these are.
  uint64_t write_pages(uint32_t id, const std::vector<CommonRange>& ranges, bool cow);

  ImageDir& images_;
  std::unique_ptr<PageBuffer> buffer_;
  std::vector<std::unique_ptr<PagesFile>> held_;  ///< files with pages in buffer_
  std::function<void()> meanwhile_ = [] {};
  uint32_t next_pages_id_ = 1;
  PageCounts counts_;
};

}  // namespace nsr
