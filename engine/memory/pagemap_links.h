// Pages that tasks share since fork stand in one pages image only. The format has no reference from one task to
// another, but one from a task to the same task in a parent dump: so the directory gets parents made of links.
// `parent` is nsr-shared.1, its `parent` nsr-shared.2, and so on; the pagemaps of one task there are, in this order,
// common ones (of pages that tasks share but not their parent task), that of its parent task, of its grandparent...
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/images/image_dir.h"

namespace nsr {

struct StoredPagemap {
  NsPid pid;
  int parent = -1;        ///< index of the parent task; -1: none
  uint32_t pages_id = 0;  ///< of its pages image
  bool leans = false;     ///< some of its pages stand in the image of the parent, or in one that this leans on
  std::vector<size_t> commons = {};  ///< the common pagemaps where some of its pages are
};

/// The number of a common pagemap in its image's name: no process can have it (PID_MAX_LIMIT).
inline constexpr NsPid common_pagemap(size_t index) { return NsPid((1 << 22) + static_cast<int32_t>(index)); }

/// Makes these directories. Nothing when no pagemap leans on another. common_pages: pages ids of the common pagemaps.
void link_pagemaps(const ImageDir& images, const std::vector<StoredPagemap>& pagemaps,
                   const std::vector<uint32_t>& common_pages = {});

/// Removes them again; a `parent` that leads to another dump stays.
void unlink_pagemaps(const ImageDir& images);

/// Name of the link to a parent dump.
inline constexpr const char* kParentLink = "parent";

}  // namespace nsr
