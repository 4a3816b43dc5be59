// Process ids that a restored tree does not want.
#pragma once

#include <set>

#include "engine/base/ids.h"
#include "engine/restore/image_set.h"

namespace nsr {

/// From the top down what neither the images nor a task here has: for helpers that live beside the tree.
class SpareIds {
 public:
  explicit SpareIds(const ImageSet& set);
  /// Throws Error(environment) when there is none left.
  NsPid operator()();

 private:
  std::set<NsPid> used_;
  int32_t next_;
};

}  // namespace nsr
