// In which pid namespace the children of this process are born (pid_namespaces(7)); the process itself never moves.
#pragma once

#include "engine/base/unique_fd.h"

namespace nsr {

/// Whether children are born in another pid namespace than the process itself lives in.
bool children_live_elsewhere();

/// While this lives, children are born in the namespace behind a descriptor. No thread can be made meanwhile.
class ChildrenIn {
 public:
  /// Throws Error(environment).
  explicit ChildrenIn(const UniqueFd& pid_namespace);
  ChildrenIn(const ChildrenIn&) = delete;
  ChildrenIn& operator=(const ChildrenIn&) = delete;
  ~ChildrenIn();

 private:
  UniqueFd before_;
};

}  // namespace nsr
