// Makes the planned tree by running its programs, and lets it go. Until release() any failure kills what was made.
#pragma once

#include <fcntl.h>

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "engine/base/unique_fd.h"
#include "engine/restore/programs.h"
#include "engine/trace/tracee.h"

namespace nsr {

class Executor {
 public:
  Executor(const ImageSet& set, const TreePlan& plan, std::vector<NodePrograms>& programs, SharedArea& area)
      : set_(set), plan_(plan), programs_(programs), area_(area), nodes_(plan.nodes.size()) {}
  /// Kills everything that was made and not released.
  ~Executor();

  /// Makes all processes with memory and directories. sibling: the root becomes a child of the engine's parent.
  /// root_is_init: the root makes a pid namespace, in which the ids of the images then are.
  /// born: called with the root before it does anything (what it joins then, all its descendants are born in).
  void create(bool sibling, bool root_is_init, const std::function<void(HostPid)>& born);
  /// Pages that are put into tasks from outside.
  void fill();
  /// Groups, zombies; helpers go.
  void join();
  /// Descriptors, threads, state; all threads then wait with their last registers still to be set.
  void finish();
  /// Registers and masks; the shared area goes. The tree is complete and still stands.
  void prepare();
  /// Everything runs (stopped tasks stop). Throws nothing that leaves a part of the tree behind.
  /// guarded: nor does the engine's death in the middle of it; false where another sees to that.
  void release(bool leave_stopped, bool guarded);

  /// Threads of a node, leader first; none for zombies and helpers. Complete after finish().
  std::vector<HostPid> threads_of(size_t node) const;
  HostPid root() const { return nodes_[0].pid; }

 private:
  struct Thread {
    HostPid tid;
    arch::Registers last{};  ///< with which it is let go
  };
  struct Node {
    HostPid pid;
    std::vector<Thread> threads;  ///< [0] is the leader
    RemoteAddr insn{};            ///< a syscall instruction in its vDSO
  };
  /// Which program a stopped task is in.
  struct Place {
    size_t node;
    const StoredProgram* program;
    int thread;  ///< -1: the leader's own program
  };
  Place place_of(const arch::Registers& regs) const;
  void index(size_t node);
  void wait_all(size_t expected);
  void wait_for(HostPid tid);
  void wait_for_threads(HostPid leader);
  void on_report(const Stop& stop);
  void on_trap(HostPid tid);
  void check_results(const Place& place, size_t position);
  void start(HostPid tid, const StoredProgram& program);
  void end_helpers();
  void end(const std::vector<HostPid>& helpers);
  void set_adopting(size_t node, bool adopting);
  long run_in(size_t node, long nr, std::initializer_list<uint64_t> args);
  bool is_stopped(size_t node) const;
  void stop_tasks();
  void stop(size_t node, RemoteAddr pause);
  bool stop_thread(HostPid tid, int signal, RemoteAddr pause);
  const ImageTask& task_of(size_t node) const { return set_.tasks[static_cast<size_t>(plan_.nodes[node].task)]; }
  void prepare_thread(const ImageTask& t, size_t i, Thread& thread, RemoteAddr insn);
  void start_signalled_timers(size_t node);
  void prepare_sigtrap(size_t node);
  void queue_faults(size_t node);
  void remove_area(size_t node);
  void set_last_registers(size_t node);
  void set_late(const ImageTask& t, const Tracee& leader, RemoteAddr insn);
  static void set_dispatch(const ImageThread& th, HostPid tid, const std::string& object);
  /// The thread that does what is left to do for the process: the first that lives.
  Thread& worker(size_t node) { return nodes_[node].threads[task_of(node).ext.has_dead_leader_status() ? 1 : 0]; }
  [[noreturn]] void fail(const Place& place, size_t position);

  const ImageSet& set_;
  const TreePlan& plan_;
  std::vector<NodePrograms>& programs_;
  SharedArea& area_;
  std::vector<Node> nodes_;
  struct Indexed {
    size_t node;
    int thread;
    const StoredProgram* program;
  };
  std::map<uint64_t, Indexed> by_address_;  ///< programs by their address
  /// The engine's own /proc: a root that is pid 1 mounts another one over it.
  UniqueFd proc_root_{::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  std::set<HostPid> alive_;
  size_t traps_ = 0, exits_ = 0;
};

}  // namespace nsr
