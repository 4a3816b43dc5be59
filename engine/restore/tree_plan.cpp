#include "engine/restore/tree_plan.h"

#include <sched.h>

#include <deque>
#include <map>
#include <set>

#include "engine/base/error.h"
#include "engine/restore/session_births.h"

namespace nsr {
namespace {

bool same(uint32_t a, uint32_t b) { return a != 0 && a == b; }

/// What a clone of b can share so that a comes out. Nothing for zombies, which have nothing any more.
uint64_t shared(const ImageTask& a, const ImageTask& b) {
  if (a.zombie || b.zombie) return 0;
  uint64_t flags = 0;
  if (same(a.ids.vm_id(), b.ids.vm_id())) flags |= CLONE_VM;
  if (same(a.ids.files_id(), b.ids.files_id())) flags |= CLONE_FILES;
  if (same(a.ids.fs_id(), b.ids.fs_id())) flags |= CLONE_FS;
  if ((flags & CLONE_VM) && same(a.ids.sighand_id(), b.ids.sighand_id())) flags |= CLONE_SIGHAND;
  return flags;
}

int exit_signal_of(const ImageTask& t) {
  return t.ext.has_exit_signal() ? static_cast<int>(t.ext.exit_signal()) : SIGCHLD;
}

class Planner {
 public:
  Planner(const ImageSet& set, bool inherit_session, const std::function<NsPid()>& spare_id)
      : set_(set),
        spare_id_(spare_id),
        outside_(outside_session(set.tasks[0], inherit_session)),
        births_(set, outside_),
        node_of_(set.tasks.size()) {
    for (const auto& t : set.tasks) {
      tasks_.insert(t.pid);
      groups_.insert(t.pgid);
    }
  }

  TreePlan run() {
    const ImageTask& root = set_.tasks[0];
    // With --shell-job a group led from outside is the engine's own.
    build(0, outside_, outside_.value == 0 || root.pgid == root.pid ? NsPid(0) : root.pgid);
    add_orphans();
    add_group_helpers();
    check_sharing();
    return std::move(plan_);
  }

 private:
  static NsPid outside_session(const ImageTask& root, bool inherit) {
    if (root.sid == root.pid) return NsPid(0);
    if (!inherit)
      throw Error(Failure::usage, root.object(),
                  format("its session (leader %d) is outside of the images", root.sid.value),
                  "use --shell-job as for the dump");
    return root.sid;
  }

  const ImageTask& task(size_t node) const { return set_.tasks[static_cast<size_t>(plan_.nodes[node].task)]; }

  /// Makes the node of a task that is born in this session and group; returns its number.
  size_t build(size_t index, NsPid session, NsPid group) {
    const ImageTask& t = set_.tasks[index];
    size_t n = node_of_[index] = plan_.nodes.size();
    plan_.nodes.emplace_back();
    PlanNode node;
    node.kind = t.zombie ? PlanNode::Kind::zombie : PlanNode::Kind::task;
    node.task = static_cast<int>(index);
    node.pid = t.pid;
    node.exit_signal = exit_signal_of(t);
    if (t.parent >= 0) node.share = shared(t, set_.tasks[static_cast<size_t>(t.parent)]);
    node.setsid = t.sid == t.pid && session != t.sid;
    NsPid own_session = session, own_group = group;
    if (node.setsid) own_session = own_group = t.pid;
    // It may have made a group and left it to others.
    if (groups_.count(t.pid) && own_group != t.pid) {
      node.own_group = true;
      own_group = t.pid;
    }
    if (t.pgid != own_group && t.pgid.value != 0) {
      node.join_group = t.pgid;
      groups_wanted_[t.pgid].push_back(n);
    }
    for (size_t c : t.children) {
      if (births_.orphan(c))
        orphans_.push_back(c);
      else if (births_.birth(c) == own_session)
        add_child(node, t, c, build(c, own_session, own_group));
      else
        node.early.push_back(build(c, session, group));
    }
    for (size_t i = 1; i < t.threads.size(); i++)
      if (t.threads[i].has_own_fs()) branch(node, i);
    plan_.nodes[n] = std::move(node);
    return n;
  }

  /// A child in its parent's session: made by the parent, by one of its threads, or by a brother.
  void add_child(PlanNode& node, const ImageTask& parent, size_t index, size_t made) {
    const ImageTask& child = set_.tasks[index];
    if (auto brother = sharing_brother(child, parent, node.late)) {
      plan_.nodes[made].sibling = true;
      plan_.nodes[made].share = shared(child, task(*brother));
      plan_.nodes[*brother].late.push_back(made);
    } else if (auto thread = thread_of(parent, child)) {
      branch(node, *thread).children.push_back(made);
    } else {
      node.late.push_back(made);
    }
  }

  /// The elder brother with whom a task shares more than with its parent: clone(2) shares with the caller only.
  std::optional<size_t> sharing_brother(const ImageTask& child, const ImageTask& parent,
                                        const std::vector<size_t>& elder) const {
    uint64_t with_parent = shared(child, parent);
    for (size_t n : elder) {
      const PlanNode& node = plan_.nodes[n];
      if (node.kind != PlanNode::Kind::task || node.setsid) continue;
      if (shared(child, task(n)) & ~with_parent) return n;
    }
    return std::nullopt;
  }

  static std::optional<size_t> thread_of(const ImageTask& parent, const ImageTask& child) {
    for (size_t i = 1; i < parent.threads.size() && child.ext.has_parent_tid(); i++)
      if (parent.threads[i].tid.value == static_cast<int32_t>(child.ext.parent_tid())) return i;
    return std::nullopt;
  }

  static PlanNode::Branch& branch(PlanNode& node, size_t thread) {
    for (auto& b : node.branches)
      if (b.thread == thread) return b;
    node.branches.push_back({thread, {}});
    return node.branches.back();
  }

  /// Children in a session that they cannot inherit. Each waits until somebody who can make it has its node.
  void add_orphans() {
    for (size_t waiting = 0; !orphans_.empty() && waiting <= orphans_.size();) {
      size_t c = orphans_.front();
      orphans_.pop_front();
      if (add_orphan(c)) {
        waiting = 0;
      } else {
        orphans_.push_back(c);
        waiting++;
      }
    }
    if (!orphans_.empty()) refuse_session(orphans_.front());
  }

  [[noreturn]] void refuse_session(size_t c) const {
    NsPid sid = births_.birth(c);
    const char* why = births_.leader(sid) < 0 ? "whose leader has exited, is spread over several branches of the tree"
                                              : "is led by a task in another branch of the tree";
    throw Error(Failure::unsupported, set_.tasks[c].object(), format("its session %d %s", sid.value, why));
  }

  bool add_orphan(size_t c) {
    const NsPid sid = births_.birth(c);
    const int parent = set_.tasks[c].parent;
    const int leader = births_.leader(sid);
    const int home = leader < 0 ? births_.home(sid) : set_.tasks[static_cast<size_t>(leader)].parent;
    if (home < 0 || !births_.above(parent, home)) refuse_session(c);
    auto maker = session_maker(sid, leader, home, c);
    if (!maker) return false;
    size_t made = build(c, sid, sid);
    plan_.nodes[made].share = 0;
    // a brother inherits its maker's exit signal, whoever is adopted gets SIGCHLD
    const int signal = plan_.nodes[made].exit_signal;
    if (parent == home && (signal != SIGCHLD || plan_.nodes[*maker].exit_signal == SIGCHLD)) {
      plan_.nodes[made].sibling = true;
      if (leader >= 0) plan_.nodes[made].share = shared(set_.tasks[c], set_.tasks[static_cast<size_t>(leader)]);
      plan_.nodes[*maker].late.push_back(made);
    } else {
      add_foster_parent(*maker, node_of_[static_cast<size_t>(home)], node_of_[static_cast<size_t>(parent)], made);
    }
    return true;
  }

  /// The leader of a session, or a helper in its place, made at home by the first orphan there (orphan: a task).
  std::optional<size_t> session_maker(NsPid sid, int leader, int home, size_t orphan) {
    if (leader >= 0) {
      size_t n = node_of_[static_cast<size_t>(leader)];
      return n ? std::optional(n) : std::nullopt;
    }
    if (auto it = helpers_.find(sid); it != helpers_.end()) return it->second;
    if (set_.tasks[orphan].parent != home) return std::nullopt;
    PlanNode helper;
    helper.kind = PlanNode::Kind::helper;
    helper.pid = sid;
    helper.setsid = true;
    for (size_t i : set_.tasks[static_cast<size_t>(home)].children)
      if (births_.birth(i) == sid && exit_signal_of(set_.tasks[i]) != SIGCHLD)
        helper.exit_signal = exit_signal_of(set_.tasks[i]);
    return add_helper(std::move(helper), node_of_[static_cast<size_t>(home)], node_of_[static_cast<size_t>(home)]);
  }

  /// A member of a session, made below the parent it has: a helper beside the session's leader makes it and exits, and
  /// as in its first life it goes up to the next process that adopts orphans.
  void add_foster_parent(size_t maker, size_t makers_parent, size_t adopter, size_t child) {
    PlanNode helper;
    helper.kind = PlanNode::Kind::helper;
    helper.pid = spare_id_();
    helper.sibling = true;
    helper.adopter = adopter;
    helper.late.push_back(child);
    add_helper(std::move(helper), maker, makers_parent);
  }

  size_t add_helper(PlanNode helper, size_t maker, size_t parent) {
    size_t h = plan_.nodes.size();
    helpers_[helper.pid] = h;
    plan_.nodes[maker].late.push_back(h);
    plan_.nodes[parent].reap.push_back(helper.pid);
    plan_.nodes.push_back(std::move(helper));
    return h;
  }

  /// Groups whose leader has exited: a helper beside one member leads them for a moment. Groups whose leader is in
  /// another one: a helper keeps them in being until all have joined.
  void add_group_helpers() {
    for (size_t n = 0, all = plan_.nodes.size(); n < all; n++)
      if (plan_.nodes[n].own_group && plan_.nodes[n].join_group) add_group_helper(n, spare_id_(), false);
    for (auto& [pgid, members] : groups_wanted_) {
      if (tasks_.count(pgid) || helpers_.count(pgid)) continue;
      size_t member = members[0];
      for (size_t m : members)
        if (plan_.nodes[member].kind != PlanNode::Kind::task) member = m;
      add_group_helper(member, pgid, true);
    }
  }

  void add_group_helper(size_t maker, NsPid pid, bool leads) {
    PlanNode helper;
    helper.kind = PlanNode::Kind::helper;
    helper.pid = pid;
    helper.own_group = leads;
    // born in its maker's session; a zombie cannot wait for it, its parent can
    helper.sibling = plan_.nodes[maker].kind == PlanNode::Kind::zombie;
    size_t parent = helper.sibling ? node_of_[static_cast<size_t>(task(maker).parent)] : maker;
    add_helper(std::move(helper), maker, parent);
  }

  /// What tasks share and none has from the other's clone.
  void check_sharing() const {
    static constexpr const char* kNames[] = {"memory", "descriptor table", "working directory", "signal actions"};
    static constexpr uint64_t kFlags[] = {CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_SIGHAND};
    std::map<std::pair<size_t, uint32_t>, int> first;
    for (const PlanNode& node : plan_.nodes) {
      if (node.kind != PlanNode::Kind::task) continue;
      const auto& ids = set_.tasks[static_cast<size_t>(node.task)].ids;
      const uint32_t id[] = {ids.vm_id(), ids.files_id(), ids.fs_id(), ids.sighand_id()};
      for (size_t k = 0; k < std::size(kFlags); k++) {
        if (id[k] == 0) continue;
        auto [it, fresh] = first.try_emplace({k, id[k]}, node.pid.value);
        if (!fresh && !node.shares(kFlags[k]))
          throw Error(Failure::unsupported, format("pid %d", node.pid.value),
                      format("it shares its %s with pid %d, which is neither its parent nor its brother", kNames[k],
                             it->second));
      }
    }
  }

  const ImageSet& set_;
  const std::function<NsPid()>& spare_id_;
  const NsPid outside_;
  const SessionBirths births_;
  TreePlan plan_;
  std::vector<size_t> node_of_;  ///< by task; 0 = none yet (or the root)
  std::set<NsPid> tasks_, groups_;
  std::map<NsPid, size_t> helpers_;  ///< their nodes, by pid
  std::map<NsPid, std::vector<size_t>> groups_wanted_;
  std::deque<size_t> orphans_;
};

}  // namespace

std::vector<size_t> PlanNode::made() const {
  std::vector<size_t> out = early;
  out.insert(out.end(), late.begin(), late.end());
  for (const Branch& b : branches) out.insert(out.end(), b.children.begin(), b.children.end());
  return out;
}

TreePlan plan_tree(const ImageSet& set, bool inherit_session, const std::function<NsPid()>& spare_id) {
  return Planner(set, inherit_session, spare_id).run();
}

}  // namespace nsr
