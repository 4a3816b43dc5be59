// All images of a tree, decoded and checked against each other before anything is done. Hostile input ends here.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core.pb.h"
#include "engine/base/ids.h"
#include "engine/images/image_dir.h"
#include "engine/process/timer_signals.h"
#include "fdinfo.pb.h"
#include "fs.pb.h"
#include "inventory.pb.h"
#include "mm.pb.h"
#include "nsr-mm.pb.h"
#include "nsr-task.pb.h"
#include "pstree.pb.h"
#include "seccomp.pb.h"

namespace nsr {

/// A run of pages of a task: where they go and where they stand in the pages image.
struct PageRun {
  uint64_t vaddr = 0, bytes = 0, file_offset = 0;
  size_t file = 0;  ///< in ImageSet::pages_files
};

/// Bytes of a task's memory that are other than in the images.
struct MemoryPatch {
  uint64_t at;
  std::string bytes;
};

struct ImageThread {
  NsPid tid;
  pb::core_entry core;
  const pb::nsr_thread_entry* ext = nullptr;                    ///< in ImageTask::ext
  bool has_own_fs() const { return ext && ext->has_cwd_id(); }  ///< directories and umask
};

struct ImageTask {
  NsPid pid, ppid, pgid, sid;
  bool zombie = false;
  std::vector<ImageThread> threads;  ///< leader first; zombies: the leader only
  pb::task_kobj_ids_entry ids;
  pb::mm_entry mm;
  pb::nsr_mm_entry mm_ext;
  std::vector<MemoryPatch> patches;  ///< written when all pages are loaded
  pb::fs_entry fs;
  pb::nsr_task_entry ext;
  std::vector<SignalledTimer> signalled_timers;  ///< taken out of the cores
  std::vector<pb::fdinfo_entry> table;           ///< the task's descriptor table (shared tables: the same list)
  std::vector<PageRun> pages;                    ///< ascending
  int parent = -1;                               ///< index of the parent in ImageSet::tasks
  std::vector<size_t> children;
  const pb::task_core_entry& tc() const { return threads[0].core.tc(); }
  std::string object() const;  ///< "pid 4711"
};

struct ImageSet {
  pb::inventory_entry inventory;
  std::vector<ImageTask> tasks;  ///< as in pstree.img: parents before children, root first
  std::vector<pb::file_entry> files;
  std::map<uint32_t, const pb::file_entry*> file_by_id;
  std::vector<std::string> pages_files;  ///< pages images, paths below the image directory; each file once
  pb::seccomp_entry seccomp;             ///< filters; empty when seccomp.img is missing

  const ImageTask* find(NsPid pid) const;
};

/// Reads and checks everything. Throws Error(image) naming the file and what contradicts what.
std::unique_ptr<ImageSet> load_images(const ImageDir& dir);

}  // namespace nsr
