// SysV shared memory that tasks have attached (shmget(2), shmat(2)).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/base/id_map.h"
#include "engine/base/ids.h"
#include "engine/images/image_dir.h"
#include "engine/memory/page_store.h"

namespace nsr {

/// Collects attachments of a tree and writes the segments: ipcns-shm-<ns> and a pagemap-shmem-<shmid> for each.
class SysvSegments {
 public:
  /// path: map_files link of one attached mapping.
  void add(HostPid pid, uint32_t shmid, const std::string& path);
  /// own_namespace: the tree's IPC namespace where it is not the engine's; then all segments in it are written, also
  /// those that nobody has attached. Throws Error(unsupported) for a segment that is attached outside of the tree, too.
  void write(ImageDir& images, PageStore& pages, uint32_t ipc_ns_id, const UniqueFd& own_namespace,
             const UserMap& users);

 private:
  struct Segment {
    HostPid pid;
    std::string path;
    size_t attached = 0;
  };
  static void write_one(uint32_t id, const Segment& segment, const UserMap& users, ImageWriter& out, PageStore& pages);
  std::map<uint32_t, Segment> segments_;
};

/// Makes the segments of an image again with their numbers and keys in the calling thread's IPC namespace, or takes
/// over those that are still there and attached nowhere. Undoes that when it goes away before keep().
class RestoredSegments {
 public:
  /// fill: writes the content of pagemap-shmem-<shmid> to a descriptor.
  void make(const ImageDir& images, uint32_t ipc_ns_id, const UserMap& users,
            const std::function<void(uint32_t, int)>& fill);
  ~RestoredSegments();
  /// The tree has attached them: those that were marked to vanish with their last user are marked again.
  void keep();

 private:
  UniqueFd namespace_;  ///< they are in
  std::vector<int> made_, doomed_;
};

}  // namespace nsr
