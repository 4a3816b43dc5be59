// System calls made under another identity, for what the kernel notes about the caller: SO_PEERCRED, SCM_CREDENTIALS.
#pragma once

#include <functional>

#include "nsr-sk.pb.h"

namespace nsr {

/// Runs `calls` in a short-lived copy of this process that shares its descriptors, has the pid (when it is free in this
/// pid namespace) and the effective uid and gid of `who`, and keeps all capabilities. `calls` only makes system calls
/// and returns 0 or an errno value, which is returned here. The identity is best effort: a pid in use or an unmapped
/// uid is logged, and the calls are made all the same. Throws Error(environment) when no process can be made at all.
[[nodiscard]] int run_as(const pb::nsr_sk_cred& who, const std::function<int()>& calls);

}  // namespace nsr
