#include "engine/descriptors/delivery.h"

#include <algorithm>

namespace nsr {
namespace {

/// Which numbers are open.
class Numbers {
 public:
  void set(int number, bool open) {
    size_t at = static_cast<size_t>(number);
    if (at >= open_.size()) open_.resize(at + 1);
    open_[at] = open;
  }
  /// The lowest free one that is not below `from`.
  int free_from(int from) const {
    size_t at = static_cast<size_t>(from);
    while (at < open_.size() && open_[at]) at++;
    return static_cast<int>(at);
  }

 private:
  std::vector<bool> open_;
};

/// From the highest down: a target is never below the number that its file came at, so what it overwrites or leaves
/// free has been moved on already.
DeliveryBatch place(const DeliveryTarget* targets, const std::vector<int>& came, Numbers& numbers) {
  DeliveryBatch batch{came.size(), came.back(), {}};
  for (int number : came) numbers.set(number, true);
  for (size_t i = came.size(); i-- > 0;) {
    const DeliveryTarget& t = targets[i];
    if (t.number != came[i]) {
      batch.then.push_back({came[i], t.number, t.number, t.cloexec});
      batch.then.push_back({-1, came[i], came[i], false});
      numbers.set(came[i], false);
      numbers.set(t.number, true);
    } else if (!t.cloexec) {
      batch.then.push_back({t.number, t.number, t.number, false});
    }
  }
  return batch;
}

}  // namespace

std::vector<DeliveryBatch> plan_delivery(const std::vector<DeliveryTarget>& targets, const std::vector<int>& taken) {
  Numbers numbers;
  for (int number : taken) numbers.set(number, true);
  std::vector<DeliveryBatch> out;
  int lowest = 0;  // everything below is taken for good
  for (size_t done = 0; done < targets.size(); done += out.back().count) {
    std::vector<int> came;
    lowest = numbers.free_from(lowest);
    for (int next = lowest; came.size() < std::min(kMostRights, targets.size() - done); next++)
      came.push_back(next = numbers.free_from(next));
    out.push_back(place(&targets[done], came, numbers));
  }
  return out;
}

}  // namespace nsr
