// Inner and outer ids of everything in a frozen tree.
#pragma once

#include <optional>
#include <unordered_map>

#include "engine/trace/frozen_tree.h"

namespace nsr {

/// Translates ids of the tree's tasks and threads between the engine's pid namespace and the tasks' innermost one.
class PidMap {
 public:
  explicit PidMap(const FrozenTree& tree) {
    for (const auto& t : tree.tasks()) {
      add(t.pid, t.ns_pid);
      for (const auto& th : t.threads) add(th.tid, th.ns_tid);
    }
  }
  std::optional<NsPid> inner(HostPid pid) const {
    auto it = inner_.find(pid);
    return it == inner_.end() ? std::nullopt : std::optional(it->second);
  }
  std::optional<HostPid> outer(NsPid pid) const {
    auto it = outer_.find(pid);
    return it == outer_.end() ? std::nullopt : std::optional(it->second);
  }

 private:
  void add(HostPid h, NsPid n) {
    inner_[h] = n;
    outer_[n] = h;
  }
  std::unordered_map<HostPid, NsPid> inner_;
  std::unordered_map<NsPid, HostPid> outer_;
};

}  // namespace nsr
