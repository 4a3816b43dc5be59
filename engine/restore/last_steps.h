// What a restored task gets when its programs have ended and before it runs: what only its tracer can set.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/restore/made_node.h"
#include "engine/restore/shared_area.h"
#include "engine/restore/tree_plan.h"

namespace nsr {

/// Extended registers, calls that were interrupted, timers with pending signals, SIGTRAP's action, pending faults, the
/// removal of the shared area, registers, masks. The tree is complete then and still stands.
class LastSteps {
 public:
  LastSteps(const ImageSet& set, const TreePlan& plan, SharedArea& area, std::vector<MadeNode>& nodes)
      : set_(set), plan_(plan), area_(area), nodes_(nodes) {}
  /// Throws Error; then the tree must be killed.
  void run();
  /// Whether signals are queued for the process after its own program has ended, so that its limit of queued signals
  /// (RLIMIT_SIGPENDING) is set here and not there.
  static bool queues_late(const ImageTask& task);

 private:
  const ImageTask& task_of(size_t node) const { return set_.tasks[static_cast<size_t>(plan_.nodes[node].task)]; }
  void prepare_thread(const ImageTask& t, size_t i, MadeThread& thread, RemoteAddr insn);
  void start_signalled_timers(size_t node);
  void set_late(size_t node);
  void prepare_sigtrap(size_t node);
  void queue_faults(size_t node);
  void limit_signals(size_t node);
  void queue(size_t node, HostPid sender, NsPid to, const std::string& info);
  void remove_area(size_t node);
  void set_last_registers(size_t node);

  const ImageSet& set_;
  const TreePlan& plan_;
  SharedArea& area_;
  std::vector<MadeNode>& nodes_;
  std::map<uint32_t, size_t> memory_users_;  ///< threads, by vm_id
};

}  // namespace nsr
