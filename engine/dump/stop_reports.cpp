#include "engine/dump/stop_reports.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace nsr {
namespace {

constexpr size_t kRoom = 256;  // a siginfo_t and a record

}  // namespace

StopReports::StopReports(const FrozenTree& tree) {
  for (const FrozenTask& t : tree.tasks())
    if (!t.zombie && t.parent) questions_[t.parent].push_back({t.pid, t.ns_pid, t.stop_signal != 0});
}

size_t StopReports::arena_size(HostPid parent) const {
  auto found = questions_.find(parent);
  return found == questions_.end() ? 0 : kRoom * found->second.size();
}

void StopReports::ask(HostPid parent, Program& program, Arena& arena) {
  auto found = questions_.find(parent);
  if (found == questions_.end()) return;
  for (Question& q : found->second) {
    q.info = arena.put(siginfo_t{});
    const int of = q.stopped ? WSTOPPED : WCONTINUED;
    q.call = program.allow(SYS_waitid, P_PID, q.ns_child, q.info, of | WNOHANG | WNOWAIT | __WALL, 0);
  }
}

void StopReports::collect(HostPid parent, const Program& program, const Arena& arena) {
  auto found = questions_.find(parent);
  if (found == questions_.end()) return;
  for (const Question& q : found->second) {
    if (program.records()[q.call].result != 0) continue;
    const bool pending = arena.local<siginfo_t>(q.info)->si_pid != 0;
    if (q.stopped && !pending) reported_.insert(q.child);
    if (!q.stopped && pending) continued_.insert(q.child);
  }
}

}  // namespace nsr
