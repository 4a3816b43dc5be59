// Pages that tasks share since fork stand in one pages image only. The format has no reference from one task to
// another, but one from a task to the same task in a parent dump: so the directory gets parents made of links, in which
// a task's pagemap is that of its parent task. `parent` is nsr-shared.1, its `parent` nsr-shared.2 with the pagemaps of
// grandparents, and so on.
#pragma once

#include <vector>

#include "engine/base/ids.h"
#include "engine/images/image_dir.h"

namespace nsr {

struct StoredPagemap {
  NsPid pid;
  int parent = -1;        ///< index of the parent task; -1: none
  uint32_t pages_id = 0;  ///< of its pages image
  bool leans = false;     ///< some of its pages are marked as the parent's
};

/// Makes these directories. Nothing when no pagemap leans on another.
void link_pagemaps(const ImageDir& images, const std::vector<StoredPagemap>& pagemaps);

/// Removes them again; a `parent` that leads to another dump stays.
void unlink_pagemaps(const ImageDir& images);

/// Name of the link to a parent dump.
inline constexpr const char* kParentLink = "parent";

}  // namespace nsr
