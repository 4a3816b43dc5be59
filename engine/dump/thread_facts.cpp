#include "engine/dump/thread_facts.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/error.h"

namespace nsr {

ThreadFacts::ThreadFacts(const FrozenTask& task, const NamespaceIds& namespaces, bool cgroups)
    : task_(task),
      namespaces_(namespaces),
      cgroups_(cgroups),
      dir_(task.handle()),
      threads_(task.threads.size()),
      work_(threads_.size(), [this](size_t i) { threads_[i] = read(task_.threads[i]); }) {}

const std::vector<ThreadFacts::Thread>& ThreadFacts::finish() {
  work_.finish();
  return threads_;
}

ThreadFacts::Thread ThreadFacts::read(const FrozenThread& thread) const {
  Thread t;
  if (cgroups_) t.cgroup = dir_.read_record(format("task/%d/cgroup", thread.tid.value));
  if (thread.tid == task_.handle()) return t;
  t.shares_fs = ::syscall(SYS_kcmp, task_.handle().value, thread.tid.value, KCMP_FS, 0, 0) == 0;
  t.other_kind = namespaces_.other_kind(thread.tid, t.shares_fs);
  return t;
}

}  // namespace nsr
