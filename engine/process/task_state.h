// Everything of a process and its threads that is neither memory nor files nor namespaces, read while it is borrowed.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core.pb.h"
#include "engine/base/id_map.h"
#include "engine/process/inferred_state.h"
#include "engine/process/memory_policy.h"
#include "engine/process/scheduling.h"
#include "engine/process/signals.h"
#include "engine/process/timer_overruns.h"
#include "engine/process/timers.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/trace/borrowed_task.h"
#include "engine/trace/pid_map.h"
#include "nsr-task.pb.h"

namespace nsr {

inline constexpr int kSpeculationKinds = 3;  ///< PR_SPEC_STORE_BYPASS, _INDIRECT_BRANCH, _L1D_FLUSH

/// Syscall user dispatch (prctl(2)) as ptrace tells it.
struct DispatchConfig {
  uint64_t mode, selector, offset, length;
};

/// What the process itself had to be asked for and that belongs to its memory image.
struct MemoryFacts {
  uint64_t brk = 0;
  int dumpable = 1;
  bool thp_disabled = false;
  uint32_t protection_keys = 0;  ///< bit n: key n is allocated
};

/// Collects one live task. Order: constructor (reads /proc and ptrace), check_borrowable, ask_timers, add_programs, the
/// caller runs them, collect; look() before they run or, where must_look_late(), between run and collect.
class TaskStateReader {
 public:
  TaskStateReader(const FrozenTask& task, const PidMap& pids);
  /// Bytes of arena that the programs of this task need.
  size_t arena_size() const;
  /// Before the task is borrowed: throws Error(unsupported) when it must not be.
  void check_borrowable();
  /// A timer that sends its signal while the programs ask for the timers' values shall be seen twice rather than lost.
  bool must_look_late() const { return !posix_timers_.empty(); }
  /// All threads are stopped. cores: one per thread, leader first. Throws Error(unsupported) for state that cannot be
  /// kept.
  using Cores = google::protobuf::RepeatedPtrField<pb::core_entry>;
  void look(Cores& cores, pb::nsr_task_entry& ext) const;
  /// What timers tell only by programs of its own.
  void ask_timers(BorrowedTask& borrowed);
  /// One program per thread, in the task's order.
  void add_programs(std::vector<Program>& programs, Arena& arena);
  /// Adds what the programs found, and tc to the leader's core. The first thread is stopped. Throws Error(unsupported)
  /// for ids that have no number in the user namespace.
  void collect(const std::vector<Program>& programs, const Arena& arena, const UserMap& users, Cores& cores,
               pb::nsr_task_entry& ext, MemoryFacts& memory) const;

 private:
  struct ThreadSlots {
    RemoteAddr tid_address, altstack, words, robust_list;
    Program::Index securebits, cpuid, timer_slack, personality, mce_kill, io_flusher,
        speculation;  ///< speculation: the first of kSpeculationKinds
    MemoryPolicyReader memory_policy;
    SchedulingReader scheduling;
  };
  void check_supported(const procfs::Status& status) const;
  void look_at_thread(size_t i, pb::core_entry& core, pb::nsr_thread_entry& ext) const;
  void collect_thread(size_t i, const Program& program, const Arena& arena, const UserMap& users, pb::core_entry& core,
                      pb::nsr_thread_entry& ext) const;
  bool is_io_flusher(size_t i, const Program& program, const procfs::Stat& process) const;
  void collect_process(const Program& program, const Arena& arena, const procfs::Stat& stat, pb::task_core_entry& tc,
                       pb::nsr_task_entry& ext, MemoryFacts& memory) const;
  std::vector<siginfo_t> queued_signals(const Tracee& thread, bool shared) const;
  std::string object(const FrozenThread& th) const;

  const FrozenTask& task_;
  const PidMap& pids_;
  procfs::ProcDir dir_;
  std::vector<procfs::PosixTimer> posix_timers_;
  size_t timer_signals_ = 0;  ///< pending
  PendingOverruns overruns_;
  ClockThreads clock_threads_;
  SigactionReader sigactions_;
  std::optional<TimerReader> timers_;
  MembarrierReader membarrier_;
  ProtectionKeyReader protection_keys_;
  std::vector<ThreadSlots> slots_;
  std::map<size_t, DispatchConfig> dispatch_;  ///< of the threads that use it
  Program::Index brk_{}, dumpable_{}, thp_{}, mdwe_{}, memory_merge_{}, keyrings_{}, timer_ids_{}, ldt_{};
  RemoteAddr subreaper_{}, local_descriptors_{};
};

/// The core image of a zombie: state and exit code. Its exit signal goes to ext, and its credentials when its user
/// namespace has numbers for them.
pb::core_entry zombie_core(HostPid pid, const UserMap& users, pb::nsr_task_entry& ext);

}  // namespace nsr
