// In which session each task has to be born: sessions are inherited at clone(2), and left by setsid(2) only.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "engine/restore/image_set.h"

namespace nsr {

class SessionBirths {
 public:
  /// outside: the session that the root is born in, when the images name it (--shell-job); else 0.
  SessionBirths(const ImageSet& set, NsPid outside);

  NsPid birth(size_t task) const { return birth_[task]; }
  /// Whether the parent is never in the session that this task must be born in: another one has to make it.
  bool orphan(size_t task) const;
  /// Of a session whose leader has exited: the parent among those of its orphans that is below all others. -1 when
  /// they are spread over branches of the tree.
  int home(NsPid session) const;
  /// Index of the task that leads the session, -1 when it has exited.
  int leader(NsPid session) const;
  /// Whether a is b or above it.
  bool above(int a, int b) const;

 private:
  NsPid wanted_by_children(size_t task) const;
  bool only_below(NsPid session, size_t task) const;

  const ImageSet& set_;
  std::map<NsPid, size_t> index_;
  std::vector<NsPid> wanted_, birth_;
};

}  // namespace nsr
