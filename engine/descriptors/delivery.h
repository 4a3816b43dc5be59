// How a task takes descriptors that wait for it in the queue of a socket (unix(7), SCM_RIGHTS). Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/descriptors/moves.h"

namespace nsr {

/// Most descriptors that one message can carry: the kernel's SCM_MAX_FD.
inline constexpr size_t kMostRights = 253;

/// One message: its `count` descriptors get the lowest free numbers, all with close-on-exec, and are then moved on.
struct DeliveryBatch {
  size_t count;
  int last;  ///< the highest number that the message fills
  std::vector<DescriptorStep> then;
};

/// A number that a delivered file shall have.
struct DeliveryTarget {
  int number;
  bool cloexec;
};

/// targets: ascending, in the order in which the files come. taken: numbers that are open meanwhile, none of them a
/// target. At no moment is anything open that is not in one of the two, but for the files of the message under way.
std::vector<DeliveryBatch> plan_delivery(const std::vector<DeliveryTarget>& targets, const std::vector<int>& taken);

}  // namespace nsr
