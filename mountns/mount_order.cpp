#include "mountns/mount_order.h"

#include <algorithm>
#include <map>

#include "engine/base/error.h"

namespace nsr {
namespace {

class Sharing {
 public:
  explicit Sharing(const std::vector<PlacedMount>& mounts) : mounts_(mounts) {
    for (size_t i = 0; i < mounts.size(); i++)
      if (mounts[i].shared) groups_[*mounts[i].shared].members.push_back(i);
    // a mount can only join one that shows at least as much of the file system
    for (auto& [id, group] : groups_)
      std::stable_sort(group.members.begin(), group.members.end(),
                       [&](size_t a, size_t b) { return mounts[a].root.size() < mounts[b].root.size(); });
  }

  std::vector<SharingStep> run() {
    for (auto& [id, group] : groups_) establish(id);
    for (size_t i = 0; i < mounts_.size(); i++)
      if (!mounts_[i].shared) receive(i);
    return std::move(steps_);
  }

 private:
  struct Group {
    std::vector<size_t> members;
    enum { untouched, begun, done } state = untouched;
  };

  void establish(int32_t id) {
    Group& group = groups_.at(id);
    if (group.state == Group::done) return;
    if (group.state == Group::begun)
      throw Error(Failure::image, "mountpoints image", format("peer group %d is its own master", id));
    group.state = Group::begun;
    size_t first = group.members[0];
    receive(first);
    steps_.push_back({SharingStep::Kind::share, first});
    for (size_t i = 1; i < group.members.size(); i++)
      steps_.push_back({SharingStep::Kind::join, group.members[i], first});
    group.state = Group::done;
  }

  void receive(size_t mount) {
    auto master = mounts_[mount].master ? groups_.find(*mounts_[mount].master) : groups_.end();
    if (master == groups_.end()) return;
    establish(master->first);
    steps_.push_back({SharingStep::Kind::join, mount, master->second.members[0]});
    steps_.push_back({SharingStep::Kind::slave, mount});
  }

  const std::vector<PlacedMount>& mounts_;
  std::map<int32_t, Group> groups_;
  std::vector<SharingStep> steps_;
};

size_t topmost(const std::vector<PlacedMount>& mounts, const std::map<int32_t, size_t>& index) {
  std::optional<size_t> top;
  for (size_t i = 0; i < mounts.size(); i++) {
    if (mounts[i].parent != mounts[i].id && index.count(mounts[i].parent)) continue;
    if (top)
      throw Error(Failure::image, "mountpoints image",
                  format("mounts %d and %d are both topmost", mounts[*top].id, mounts[i].id));
    top = i;
  }
  if (!top) throw Error(Failure::image, "mountpoints image", "it has no topmost mount");
  return *top;
}

}  // namespace

std::optional<std::string> path_below(const std::string& base, const std::string& path) {
  if (path == base) return "";
  std::string above = base == "/" ? base : base + "/";
  return path.starts_with(above) ? std::optional(path.substr(above.size())) : std::nullopt;
}

std::vector<AttachStep> attach_order(const std::vector<PlacedMount>& mounts) {
  std::map<int32_t, size_t> index;
  for (size_t i = 0; i < mounts.size(); i++)
    if (!index.emplace(mounts[i].id, i).second)
      throw Error(Failure::image, "mountpoints image", format("mount %d is there twice", mounts[i].id));
  std::vector<std::vector<AttachStep>> children(mounts.size());
  size_t top = topmost(mounts, index);
  for (size_t i = 0; i < mounts.size(); i++) {
    if (i == top) continue;
    size_t parent = index.at(mounts[i].parent);
    auto below = path_below(mounts[parent].mountpoint, mounts[i].mountpoint);
    if (!below)
      throw Error(Failure::image, "mount " + mounts[i].mountpoint,
                  "it does not lie below its parent " + mounts[parent].mountpoint);
    children[parent].push_back({i, parent, *below});
  }
  std::vector<AttachStep> order = {{top, top, ""}};
  for (size_t at = 0; at < order.size(); at++) {
    auto& list = children[order[at].mount];
    std::stable_sort(list.begin(), list.end(), [](const AttachStep& a, const AttachStep& b) {
      return std::count(a.below.begin(), a.below.end(), '/') + !a.below.empty() >
             std::count(b.below.begin(), b.below.end(), '/') + !b.below.empty();
    });
    order.insert(order.end(), list.begin(), list.end());
  }
  if (order.size() != mounts.size())
    throw Error(Failure::image, "mountpoints image", "some of its mounts are not below the topmost one");
  return order;
}

std::vector<SharingStep> sharing_steps(const std::vector<PlacedMount>& mounts) { return Sharing(mounts).run(); }

bool has_outer_master(const std::vector<PlacedMount>& mounts, const PlacedMount& mount) {
  return mount.master && std::none_of(mounts.begin(), mounts.end(),
                                      [&](const PlacedMount& other) { return other.shared == mount.master; });
}

}  // namespace nsr
