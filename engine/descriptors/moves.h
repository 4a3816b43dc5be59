// How a task that has inherited the engine's descriptors puts them at its own numbers. Pure.
#pragma once

#include <vector>

namespace nsr {

/// One descriptor wanted: the open file that stands at `source` now shall stand at `target`.
struct DescriptorMove {
  int source;
  int target;
  bool cloexec;
};

/// One step: dup3(source, target, cloexec), or with source -1 close_range(target, last), or with source == target only
/// the close-on-exec flag is set.
struct DescriptorStep {
  int source;
  int target;
  int last;
  bool cloexec;
};

/// Steps after which exactly the targets are open. Sources and targets may overlap in any way, also in circles; spare
/// is a number that is neither (used to break a circle), or -1 when there is none: then some file must have two
/// targets. Everything else that is open is closed.
std::vector<DescriptorStep> plan_moves(const std::vector<DescriptorMove>& moves, int spare);

}  // namespace nsr
