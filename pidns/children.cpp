#include "pidns/children.h"

#include <sched.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"
#include "pidns/in_namespace.h"
#include "pidns/ns_identity.h"

namespace nsr {

bool children_live_elsewhere() { return own_ns_identity("pid") != own_ns_identity("pid_for_children"); }

ChildrenIn::ChildrenIn(const UniqueFd& pid_namespace) : before_(open_namespace("self", "pid_for_children")) {
  if (setns(pid_namespace.get(), CLONE_NEWPID) != 0)
    throw_errno(Failure::environment, "pid namespace", "no children can be born in it", errno);
}

ChildrenIn::~ChildrenIn() {
  // Cannot fail: the descriptor was opened by this thread and the privilege was there a moment ago.
  if (setns(before_.get(), CLONE_NEWPID) != 0) std::terminate();
}

}  // namespace nsr
