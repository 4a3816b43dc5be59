// What was made of a node of the plan.
#pragma once

#include <vector>

#include "arch/arch.h"
#include "engine/base/ids.h"
#include "engine/restore/image_set.h"

namespace nsr {

struct MadeThread {
  HostPid tid;
  arch::Registers last{};  ///< with which it is let go
};

struct MadeNode {
  HostPid pid;
  std::vector<MadeThread> threads;  ///< [0] is the leader
  RemoteAddr insn{};                ///< a syscall instruction in its vDSO
};

/// The thread that does what is left to do for the process: the first that lives.
inline MadeThread& worker(const ImageTask& task, MadeNode& node) {
  return node.threads[task.ext.has_dead_leader_status() ? 1 : 0];
}

}  // namespace nsr
