// What can be told of the threads of a stopped task from outside, read beside the engine's other work.
#pragma once

#include <string>
#include <vector>

#include "engine/base/side_work.h"
#include "engine/namespaces/namespace_ids.h"
#include "engine/procfs/reader.h"
#include "engine/trace/frozen_tree.h"

namespace nsr {

class ThreadFacts {
 public:
  struct Thread {
    std::string cgroup;                ///< /proc/PID/task/TID/cgroup; empty when it is not wanted
    bool shares_fs = true;             ///< working directory, root and umask with the process
    const char* other_kind = nullptr;  ///< NamespaceIds::other_kind()
  };

  /// Begins at once. task and namespaces must stay; they are only read.
  ThreadFacts(const FrozenTask& task, const NamespaceIds& namespaces, bool cgroups);
  /// Waits for them: one per thread, in the task's order. Throws what the reading threw.
  const std::vector<Thread>& finish();

 private:
  Thread read(const FrozenThread& thread) const;

  const FrozenTask& task_;
  const NamespaceIds& namespaces_;
  const bool cgroups_;
  const procfs::ProcDir dir_;
  std::vector<Thread> threads_;
  SideWork work_;
};

}  // namespace nsr
