#include "engine/restore/tree_plan.h"

#include <map>
#include <set>

#include "engine/base/error.h"

namespace nsr {
namespace {

class Planner {
 public:
  Planner(const ImageSet& set, bool inherit_session) : set_(set), inherit_(inherit_session) {
    for (const auto& t : set.tasks) tasks_.insert(t.pid);
  }

  TreePlan run() {
    const ImageTask& root = set_.tasks[0];
    bool outside = root.sid != root.pid;
    if (outside && !inherit_)
      throw Error(Failure::usage, root.object(),
                  format("its session (leader %d) is outside of the images", root.sid.value),
                  "use --shell-job as for the dump");
    build(0, outside ? root.sid : NsPid(0), outside ? inherited_group(root) : NsPid(0));
    add_group_helpers();
    return std::move(plan_);
  }

 private:
  // With --shell-job a group led from outside is the engine's own.
  NsPid inherited_group(const ImageTask& root) const { return root.pgid == root.pid ? NsPid(0) : root.pgid; }

  /// Makes the node of a task that is born in this session and group; returns its number.
  size_t build(size_t index, NsPid session, NsPid group) {
    const ImageTask& t = set_.tasks[index];
    size_t n = plan_.nodes.size();
    plan_.nodes.emplace_back();
    PlanNode node;
    node.kind = t.zombie ? PlanNode::Kind::zombie : PlanNode::Kind::task;
    node.task = static_cast<int>(index);
    node.pid = t.pid;
    node.setsid = t.sid == t.pid && session != t.sid;
    NsPid own_session = session, own_group = group;
    if (node.setsid) own_session = own_group = t.pid;
    if (t.pgid == t.pid && own_group != t.pid) {
      node.own_group = true;
      own_group = t.pid;
    } else if (t.pgid != own_group && t.pgid.value != 0) {
      node.join_group = t.pgid;
      groups_wanted_[t.pgid].push_back(n);
    }
    std::map<NsPid, std::vector<size_t>> orphans;
    for (size_t c : t.children) {
      const ImageTask& child = set_.tasks[c];
      if (child.sid == child.pid || child.sid == own_session) {
        size_t made = build(c, own_session, own_group);
        node.late.push_back(made);
      } else if (child.sid == session) {
        size_t made = build(c, session, group);
        node.early.push_back(made);
      } else {
        orphans[child.sid].push_back(c);
      }
    }
    for (auto& [sid, members] : orphans) add_orphans(n, node, sid, members);
    plan_.nodes[n] = std::move(node);
    return n;
  }

  /// Children in a session that they cannot inherit. Its leader has exited: a helper takes its id, makes the session
  /// and then them, as its siblings. Its leader lives as a brother: that one makes them so.
  void add_orphans(size_t, PlanNode& parent, NsPid sid, const std::vector<size_t>& members) {
    if (tasks_.count(sid)) {
      for (size_t n : parent.late)
        if (plan_.nodes[n].pid == sid) {
          for (size_t c : members) {
            size_t made = build(c, sid, sid);
            plan_.nodes[made].sibling = true;
            plan_.nodes[n].late.push_back(made);
          }
          return;
        }
      throw Error(Failure::unsupported, format("pid %d", set_.tasks[members[0]].pid.value),
                  format("its session %d is led by a task that is neither its ancestor nor its brother", sid.value));
    }
    if (!helpers_.insert(sid).second)
      throw Error(Failure::unsupported, format("pid %d", set_.tasks[members[0]].pid.value),
                  format("its session %d, whose leader has exited, is spread over several parents", sid.value));
    size_t h = plan_.nodes.size();
    plan_.nodes.emplace_back();
    PlanNode helper;
    helper.kind = PlanNode::Kind::helper;
    helper.pid = sid;
    helper.setsid = true;
    for (size_t c : members) {
      size_t made = build(c, sid, sid);
      plan_.nodes[made].sibling = true;
      helper.late.push_back(made);
    }
    plan_.nodes[h] = std::move(helper);
    parent.late.push_back(h);
    parent.reap.push_back(sid);
  }

  /// Groups whose leader has exited: a helper beside the first member leads them for a moment.
  void add_group_helpers() {
    for (auto& [pgid, members] : groups_wanted_) {
      if (tasks_.count(pgid) || helpers_.count(pgid)) continue;
      size_t member = members[0];
      const ImageTask& t = set_.tasks[static_cast<size_t>(plan_.nodes[member].task)];
      PlanNode helper;
      helper.kind = PlanNode::Kind::helper;
      helper.pid = pgid;
      helper.own_group = true;
      size_t h = plan_.nodes.size();
      plan_.nodes.push_back(std::move(helper));
      // a child of the member itself is born in its session; a zombie cannot have one, its parent then does
      size_t maker = plan_.nodes[member].kind == PlanNode::Kind::task ? member : maker_of(t);
      plan_.nodes[maker].late.push_back(h);
      plan_.nodes[maker].reap.push_back(pgid);
      helpers_.insert(pgid);
    }
  }

  size_t maker_of(const ImageTask& t) const {
    for (size_t n = 0; n < plan_.nodes.size(); n++)
      if (plan_.nodes[n].task == t.parent) return n;
    return 0;
  }

  const ImageSet& set_;
  bool inherit_;
  TreePlan plan_;
  std::set<NsPid> tasks_, helpers_;
  std::map<NsPid, std::vector<size_t>> groups_wanted_;
};

}  // namespace

TreePlan plan_tree(const ImageSet& set, bool inherit_session) { return Planner(set, inherit_session).run(); }

}  // namespace nsr
