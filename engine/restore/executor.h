// Makes the planned tree by running its programs, and lets it go. Until release() any failure kills what was made.
#pragma once

#include <fcntl.h>

#include <map>
#include <set>
#include <vector>

#include "engine/base/unique_fd.h"
#include "engine/restore/born_root.h"
#include "engine/restore/made_node.h"
#include "engine/restore/programs.h"
#include "engine/trace/tracee.h"

namespace nsr {

class Executor {
 public:
  Executor(const ImageSet& set, const TreePlan& plan, std::vector<NodePrograms>& programs, SharedArea& area)
      : set_(set), plan_(plan), programs_(programs), area_(area), nodes_(plan.nodes.size()) {}
  /// Kills everything that was made and not released.
  ~Executor();

  /// Makes all processes with memory and directories, beginning with what the root does.
  void create(BornRoot& root);
  /// Pages that are put into tasks from outside.
  void fill();
  /// Groups, zombies; helpers go.
  void join();
  /// Descriptors, threads, state; all threads then wait with their last registers still to be set.
  void finish();
  /// Everything runs (stopped tasks stop). LastSteps have been taken. Throws nothing that leaves a part of the tree
  /// behind. guarded: nor does the engine's death in the middle of it; false where another sees to that.
  void release(bool leave_stopped, bool guarded);

  /// Threads of a node, leader first; none for zombies and helpers. Complete after finish().
  std::vector<HostPid> threads_of(size_t node) const;
  HostPid root() const { return nodes_[0].pid; }
  /// Complete after finish(); for LastSteps.
  std::vector<MadeNode>& nodes() { return nodes_; }

 private:
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
  void run_makers(size_t node, bool knows_tids);
  bool sees_ids_of_tree() const;
  void on_report(const Stop& stop);
  const PlanNode* made_as(HostPid pid, PlanNode::Kind kind) const;
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
  [[noreturn]] void fail(const Place& place, size_t position);

  const ImageSet& set_;
  const TreePlan& plan_;
  std::vector<NodePrograms>& programs_;
  SharedArea& area_;
  std::vector<MadeNode> nodes_;
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
