#include "engine/restore/session_births.h"

namespace nsr {

SessionBirths::SessionBirths(const ImageSet& set, NsPid outside)
    : set_(set), wanted_(set.tasks.size()), birth_(set.tasks.size()) {
  for (size_t i = 0; i < set.tasks.size(); i++) index_[set.tasks[i].pid] = i;
  // parents stand before their children
  for (size_t i = set.tasks.size(); i-- > 0;) {
    const ImageTask& t = set.tasks[i];
    wanted_[i] = t.sid != t.pid ? t.sid : wanted_by_children(i);
  }
  birth_[0] = outside;
  for (size_t i = 1; i < set.tasks.size(); i++) {
    const ImageTask& t = set.tasks[i];
    const size_t parent = static_cast<size_t>(t.parent);
    birth_[i] = wanted_[i].value == 0 ? set.tasks[parent].sid : wanted_[i];
  }
}

/// A leader may be born anywhere: best where its children must have been, which it made before its setsid.
NsPid SessionBirths::wanted_by_children(size_t task) const {
  const ImageTask& t = set_.tasks[task];
  for (size_t c : t.children)
    if (wanted_[c].value != 0 && wanted_[c] != t.pid && !only_below(wanted_[c], task)) return wanted_[c];
  return NsPid(0);
}

/// Such a session begins below the task: members that are its children came to it by adoption.
bool SessionBirths::only_below(NsPid session, size_t task) const {
  if (int l = leader(session); l >= 0) return above(static_cast<int>(task), l);
  for (size_t i = 0; i < set_.tasks.size(); i++)
    if (set_.tasks[i].sid == session && !above(static_cast<int>(task), static_cast<int>(i))) return false;
  return true;
}

bool SessionBirths::above(int a, int b) const {
  while (b > a) b = set_.tasks[static_cast<size_t>(b)].parent;
  return a == b;
}

bool SessionBirths::orphan(size_t task) const {
  if (task == 0) return false;
  const size_t parent = static_cast<size_t>(set_.tasks[task].parent);
  return birth_[task] != set_.tasks[parent].sid && birth_[task] != birth_[parent];
}

int SessionBirths::leader(NsPid session) const {
  auto it = index_.find(session);
  return it == index_.end() ? -1 : static_cast<int>(it->second);
}

int SessionBirths::home(NsPid session) const {
  int deepest = -1;
  for (size_t i = 1; i < set_.tasks.size(); i++) {
    if (birth_[i] != session || !orphan(i)) continue;
    int parent = set_.tasks[i].parent;
    if (deepest < 0 || above(deepest, parent))
      deepest = parent;
    else if (!above(parent, deepest))
      return -1;
  }
  return deepest;
}

}  // namespace nsr
