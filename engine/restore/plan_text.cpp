#include "engine/restore/plan_text.h"

#include <sched.h>
#include <sys/wait.h>

#include "engine/base/error.h"

namespace nsr {
namespace {

std::string tree_line(const ImageSet& set, const PlanNode& node) {
  std::string s = format("create process %d", node.pid.value);
  if (node.kind == PlanNode::Kind::helper) s += " (helper for an exited leader)";
  if (node.sibling) s += ", as a sibling of its maker";
  if (node.shares(CLONE_VM)) s += ", sharing its maker's memory";
  if (node.shares(CLONE_FILES)) s += ", sharing its maker's descriptors";
  if (node.shares(CLONE_FS)) s += ", sharing its maker's directories";
  if (node.shares(CLONE_SIGHAND)) s += ", sharing its maker's signal actions";
  if (node.setsid) s += ", start a session";
  if (node.own_group) s += ", start a group";
  if (node.join_group) s += format(", join group %d", node.join_group.value);
  if (node.kind == PlanNode::Kind::zombie)
    s += format(", exit with status %#x", set.tasks[static_cast<size_t>(node.task)].tc().exit_code());
  return s + "\n";
}

void add_tree(const ImageSet& set, const TreePlan& plan, size_t n, std::string& out) {
  const PlanNode& node = plan.nodes[n];
  out += tree_line(set, node);
  for (size_t c : node.early) add_tree(set, plan, c, out);
  for (size_t c : node.late) add_tree(set, plan, c, out);
  for (const auto& b : node.branches) {
    out += format("create thread %d of %d, which has children\n",
                  set.tasks[static_cast<size_t>(node.task)].threads[b.thread].tid.value, node.pid.value);
    for (size_t c : b.children) add_tree(set, plan, c, out);
  }
}

}  // namespace

std::string plan_text(const ImageSet& set, const TreePlan& plan, const RestoreFiles& files) {
  std::string out;
  for (const auto& f : set.files)
    out += format("open file %u: %s %s\n", f.id(), files.kind_of(f).name(), files.kind_of(f).describe(f).c_str());
  add_tree(set, plan, 0, out);
  for (const auto& t : set.tasks) {
    if (t.zombie) continue;
    uint64_t bytes = 0;
    for (const auto& r : t.pages) bytes += r.bytes;
    out += format("pid %d: map %d areas, read %llu KiB of pages\n", t.pid.value, t.mm.vmas_size(),
                  static_cast<unsigned long long>(bytes >> 10));
    for (const auto& e : t.table)
      out += format("pid %d: descriptor %u <- file %u%s\n", t.pid.value, e.fd(), e.id(),
                    e.flags() & 1 ? " (close on exec)" : "");
    for (size_t i = 1; i < t.threads.size(); i++)
      out += format("pid %d: create thread %d\n", t.pid.value, t.threads[i].tid.value);
    out += format("pid %d: signals, timers, limits, credentials, registers\n", t.pid.value);
  }
  out += "release all tasks together\n";
  return out;
}

}  // namespace nsr
