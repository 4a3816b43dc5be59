// Stops a process tree and holds it. Its destructor lets everything run on; only kill() ends tasks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "engine/base/ids.h"
#include "engine/procfs/status.h"
#include "engine/trace/cgroup_freezer.h"
#include "engine/trace/sleep_clock.h"
#include "engine/trace/tracee.h"

namespace nsr {

/// One frozen thread: registers and mask with which it goes on; the engine may divert it, resume() puts these back.
struct FrozenThread {
  HostPid tid;
  NsPid ns_tid;
  arch::Registers regs{};
  uint64_t signal_mask = 0;
  bool diverted = false;                         ///< its registers are not its own at the moment
  int stop_signal = 0;                           ///< it was in a group stop by this signal when it was frozen
  std::optional<SleepMark> sleep;                ///< it slept in a call with a timeout when the freeze began
  uint64_t slept_ns = 0;                         ///< how long by then; 0 = unknown
  std::shared_ptr<const procfs::Status> status;  ///< read when it had stopped
  RseqConfig rseq;
};

/// One process of the tree. A zombie has no threads.
struct FrozenTask {
  HostPid pid;
  NsPid ns_pid;
  HostPid parent;         ///< 0 for the root
  HostPid parent_thread;  ///< the parent's thread whose child it is
  bool zombie = false;
  int stop_signal = 0;                ///< job control: stopped by this signal
  std::vector<FrozenThread> threads;  ///< leader first, then by ascending id
  bool dead_leader = false;           ///< the leader has exited, other threads live on (no FrozenThread for it)
  /// The id under which /proc shows its memory and files, which a dead leader has no more.
  HostPid handle() const { return threads.empty() ? pid : threads.front().tid; }
};

class FrozenTree {
 public:
  /// Stops root and all its descendants, all threads: seizes all, interrupts all, then waits, until a look finds no new
  /// one. With a cgroup that holds the tree: freezes that, tells all to stop, and thaws it.
  /// Throws Error(target/timeout); nothing stays stopped then.
  static FrozenTree freeze(HostPid root, const Deadline& deadline, CgroupFreezer* cgroup = nullptr);
  FrozenTree(FrozenTree&&) noexcept = default;
  FrozenTree& operator=(FrozenTree&&) = delete;
  ~FrozenTree();

  /// Depth-first, parents before children, root first.
  std::vector<FrozenTask>& tasks() { return tasks_; }
  const std::vector<FrozenTask>& tasks() const { return tasks_; }
  FrozenTask* find(HostPid pid);

  /// Puts every thread's own registers and mask back and detaches. Throws only when nothing could be done for a task.
  void resume();
  /// Stops all (SIGSTOP) as they are resumed.
  void resume_stopped();
  /// SIGKILL to all and waits until they are gone.
  void kill();

 private:
  FrozenTree() = default;
  void release(bool stopped) noexcept;

  std::vector<FrozenTask> tasks_;
  bool held_ = false;
};

}  // namespace nsr
