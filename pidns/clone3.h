// clone3(2) as the project needs it: new namespaces, and children under a chosen pid.
#pragma once

#include <cstdint>

#include "engine/base/ids.h"

namespace nsr {

/// Like fork() with flags (CLONE_NEWPID, CLONE_NEWNS, CLONE_PARENT ...). pid: the id that the child gets in its
/// innermost pid namespace (set_tid, Linux 5.5, CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN there); 0 = the kernel's
/// choice. The child's exit signal is SIGCHLD. Returns 0 in the child, its pid in the parent, -1 with errno on failure
/// (EEXIST: the pid is taken). The C library does not know that it forked: no pthread_atfork, no raise() in the child.
[[nodiscard]] int32_t clone3_fork(uint64_t flags, NsPid pid = {});

/// A child that shares our memory until it execs or ends, while we wait (no page tables are copied).
/// fn must only do system calls and must not throw; its result is the exit status. -1 with errno on failure.
[[nodiscard]] int32_t clone3_vfork(NsPid pid, int (*fn)(void*), void* arg);

}  // namespace nsr
