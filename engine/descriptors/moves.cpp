#include "engine/descriptors/moves.h"

#include <algorithm>
#include <map>

#include "engine/base/error.h"

namespace nsr {
namespace {

class Mover {
 public:
  Mover(const std::vector<DescriptorMove>& moves, int spare) : spare_(spare) {
    for (const DescriptorMove& m : moves) {
      wanted_[m.target] = m;
      if (m.source != m.target) users_[m.source]++;
      of_source_[m.source].push_back(m.target);
    }
  }

  std::vector<DescriptorStep> run() {
    for (const auto& [target, m] : wanted_)
      if (m.source != target && users_.count(target) == 0) ready_.push_back(target);
    for (const auto& [target, m] : wanted_) {
      settle();
      if (m.source == target || done_.count(target)) continue;
      break_circle(target);
    }
    settle();
    if (lent_ >= 0) steps_.push_back({twin_of(lent_), lent_, lent_, wanted_.at(lent_).cloexec});
    for (const auto& [target, m] : wanted_)
      if (m.source == target) steps_.push_back({target, target, target, m.cloexec});
    close_rest();
    return std::move(steps_);
  }

 private:
  /// Makes every move whose target nobody needs as a source any more.
  void settle() {
    while (!ready_.empty()) {
      int target = ready_.back();
      ready_.pop_back();
      if (done_.count(target)) continue;
      const DescriptorMove& m = wanted_.at(target);
      int from = renamed_.count(m.source) ? renamed_[m.source] : m.source;
      steps_.push_back({from, target, target, m.cloexec});
      done_[target] = true;
      release(m.source);
    }
  }

  void release(int source) {
    if (--users_[source] > 0) return;
    users_.erase(source);
    auto it = wanted_.find(source);
    if (it != wanted_.end() && it->second.source != source && !done_.count(source)) ready_.push_back(source);
  }

  /// The file that stands on `target` is needed elsewhere: it waits at the spare number.
  void break_circle(int target) {
    const int spare = spare_ >= 0 ? spare_ : lend();
    steps_.push_back({target, spare, spare, true});
    renamed_[target] = spare;
    ready_.push_back(target);
    settle();
    renamed_.erase(target);
  }

  /// A number that has its file already, and so has another one: it comes from there again in the end.
  int lend() {
    for (auto at = done_.begin(); lent_ < 0 && at != done_.end(); ++at)
      if (of_source_.at(wanted_.at(at->first).source).size() > 1) lent_ = at->first;
    if (lent_ < 0) throw Error(Failure::internal, "descriptor table", "has a circle and no number that could be lent");
    return lent_;
  }

  int twin_of(int target) const {
    const std::vector<int>& same = of_source_.at(wanted_.at(target).source);
    return same[0] == target ? same[1] : same[0];
  }

  void close_rest() {
    int next = 0;
    for (const auto& [target, m] : wanted_) {
      if (target > next) steps_.push_back({-1, next, target - 1, false});
      next = target + 1;
    }
    steps_.push_back({-1, next, -1, false});
  }

  int spare_;
  int lent_ = -1;
  std::map<int, DescriptorMove> wanted_;
  std::map<int, std::vector<int>> of_source_;  ///< all targets of a source
  std::map<int, int> users_;
  std::map<int, int> renamed_;
  std::map<int, bool> done_;
  std::vector<int> ready_;
  std::vector<DescriptorStep> steps_;
};

}  // namespace

std::vector<DescriptorStep> plan_moves(const std::vector<DescriptorMove>& moves, int spare) {
  return Mover(moves, spare).run();
}

}  // namespace nsr
