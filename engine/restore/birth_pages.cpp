#include "engine/restore/birth_pages.h"

#include <algorithm>
#include <functional>
#include <set>

namespace nsr {
namespace {

uint64_t bytes_of(const PageRanges& list) {
  uint64_t n = 0;
  for (const PageRange& r : list) n += r.end - r.start;
  return n;
}

void append(PageRanges& to, const PageRanges& more) { to.insert(to.end(), more.begin(), more.end()); }

}  // namespace

struct BirthPages::Making {
  size_t node;
  Versions current;    ///< what is there
  PageRanges there;    ///< all of it
  PageRanges claimed;  ///< what must stay as it is: other children of the step are born with it
};

BirthPages::BirthPages(const TreePlan& plan, const CowSharing& cow, const Spaces& spaces)
    : plan_(plan),
      spaces_(spaces),
      nodes_(spaces.size()),
      maker_(spaces.size(), kNone),
      depth_(spaces.size()),
      own_(spaces.size()),
      wanted_(spaces.size()),
      heritable_(spaces.size()),
      heritable_known_(spaces.size()) {
  read_groups(cow);
  if (groups_.empty()) return;
  walk(0, kNone);
  for (const auto& [group, members] : groups_) plan_group(group, members);
  for (Versions& versions : wanted_)
    for (auto& [group, pages] : versions) pages = unite(pages, {});
  for (size_t n : order_) make_children(n);
}

void BirthPages::read_groups(const CowSharing& cow) {
  for (size_t n = 0; n < spaces_.size(); n++) {
    if (!spaces_[n]) continue;
    for (const CommonRun& run : cow.of(plan_.nodes[n].task)) own_[n][run.group].push_back(run.range);
    for (auto& [group, pages] : own_[n]) groups_[group][n] = pages = unite(pages, {});
  }
}

void BirthPages::walk(size_t n, size_t maker) {
  if (spaces_[n]) {
    maker_[n] = maker;
    depth_[n] = maker == kNone ? 0 : depth_[maker] + 1;
    order_.push_back(n);
    maker = n;
  }
  for (size_t c : plan_.nodes[n].made()) walk(c, maker);
}

const PageRanges& BirthPages::heritable(size_t n) {
  if (!heritable_known_[n]) heritable_[n] = unite(spaces_[n]->heritable(*spaces_[maker_[n]]), {});
  heritable_known_[n] = true;
  return heritable_[n];
}

/// Usually all members have the same pages; else the pages are looked at by who has them.
void BirthPages::plan_group(uint64_t group, const Group& members) {
  std::set<uint64_t> borders;
  for (const auto& [node, pages] : members)
    for (const PageRange& r : pages) borders.insert({r.start, r.end});
  std::map<std::vector<size_t>, PageRanges> by_members;
  std::map<size_t, size_t> at;
  for (auto b = borders.begin(); b != borders.end() && std::next(b) != borders.end(); ++b) {
    std::vector<size_t> who;
    for (const auto& [node, pages] : members) {
      size_t& k = at[node];
      while (k < pages.size() && pages[k].end <= *b) k++;
      if (k < pages.size() && pages[k].start <= *b) who.push_back(node);
    }
    if (who.size() > 1) add_range(by_members[who], {*b, *std::next(b)});
  }
  for (const auto& [who, pages] : by_members) climb(group, who, pages);
}

/// From those that have the pages up to the process from which all of them descend, as far as memory is handed down.
void BirthPages::climb(uint64_t group, const std::vector<size_t>& members, const PageRanges& pages) {
  std::set<std::pair<size_t, size_t>, std::greater<>> lowest;  // depth, node
  std::map<size_t, std::vector<size_t>> below;
  std::vector<size_t> tops;
  for (size_t m : members) lowest.insert({depth_[m], m});
  while (!lowest.empty()) {
    const size_t n = lowest.begin()->second;
    lowest.erase(lowest.begin());
    const bool is_last = lowest.empty() || maker_[n] == kNone;
    const PageRanges passing = is_last ? PageRanges() : intersect(pages, heritable(n));
    if (passing.empty()) {
      tops.push_back(n);
    } else if (bytes_of(passing) == bytes_of(pages)) {
      below[maker_[n]].push_back(n);
      lowest.insert({depth_[maker_[n]], maker_[n]});
    } else {
      climb(group, members, passing);
      climb(group, members, subtract(pages, passing));
      return;
    }
  }
  for (size_t top : tops) {
    while (!std::count(members.begin(), members.end(), top) && below[top].size() == 1) top = below[top][0];
    want_below(group, top, below, pages);
  }
}

void BirthPages::want_below(uint64_t group, size_t top, const std::map<size_t, std::vector<size_t>>& below,
                            const PageRanges& pages) {
  auto children = below.find(top);
  if (children == below.end()) return;
  for (size_t c : children->second) {
    append(wanted_[c][group], pages);
    want_below(group, c, below, pages);
  }
}

/// Nodes with memory of their own that are born with what its maker has when it makes this one.
void BirthPages::born_below(size_t made, std::vector<size_t>& out) const {
  if (spaces_[made]) {
    out.push_back(made);
    return;
  }
  for (size_t c : plan_.nodes[made].made()) born_below(c, out);
}

/// Whether some of its children are made by others who share its memory: nothing may change between them.
bool BirthPages::makes_at_one_time(size_t n) const {
  const PlanNode& node = plan_.nodes[n];
  auto made = node.made();
  return !node.branches.empty() ||
         std::any_of(made.begin(), made.end(), [&](size_t c) { return plan_.nodes[c].shares(CLONE_VM); });
}

void BirthPages::make_children(size_t n) {
  Node& node = nodes_[n];
  for (const auto& [group, pages] : wanted_[n]) {
    auto own = own_[n].find(group);
    PageRanges kept = own == own_[n].end() ? PageRanges() : intersect(pages, own->second);
    append(node.kept, kept);
    append(node.passed, subtract(pages, kept));
  }
  node.kept = unite(node.kept, {});
  node.passed = unite(node.passed, {});
  Making making{n, wanted_[n], unite(node.kept, node.passed), {}};
  const bool together = makes_at_one_time(n);
  const std::vector<size_t> made = plan_.nodes[n].made();
  for (size_t c : made) {
    if (!together) making.claimed.clear();
    Step& step = together ? node.steps[made[0]] : node.steps[c];
    std::vector<size_t> born;
    born_below(c, born);
    for (size_t b : born) provide(making, b, step);
    step.there = making.there;
  }
  if (together)
    for (size_t c : made) node.steps[c].there = making.there;
  for (const auto& [group, pages] : making.current)
    if (auto own = own_[n].find(group); own != own_[n].end()) append(node.complete, intersect(pages, own->second));
  node.complete = unite(node.complete, {});
  node.stale = subtract(making.there, node.complete);
}

/// What cannot be had is not wanted any more: the child loads it.
void BirthPages::provide(Making& making, size_t child, Step& step) {
  Node& node = nodes_[making.node];
  PageRanges claimed;
  for (auto& [group, pages] : wanted_[child]) {
    PageRanges missing = subtract(pages, making.current[group]);
    if (!missing.empty()) {
      PageRanges possible = subtract(subtract(missing, node.kept), making.claimed);
      PageRanges loaded = load(making, group, possible, step);
      for (auto& [other, there] : making.current)
        if (other != group) there = subtract(there, loaded);
      making.current[group] = unite(making.current[group], loaded);
      making.there = unite(making.there, loaded);
      pages = subtract(pages, subtract(missing, loaded));
    }
    node.provides |= !pages.empty();
    append(claimed, pages);
  }
  making.claimed = unite(making.claimed, unite(claimed, {}));
}

/// Returns what of it can be loaded: own pages always, those of others where the memory may be written.
PageRanges BirthPages::load(Making& making, uint64_t group, PageRanges missing, Step& step) const {
  PageRanges loaded;
  auto take = [&](size_t source, const PageRanges& pages) {
    if (pages.empty()) return;
    step.loads.push_back({source, pages});
    loaded = unite(loaded, pages);
    missing = subtract(missing, pages);
  };
  const Group& members = groups_.at(group);
  if (auto own = members.find(making.node); own != members.end()) take(making.node, intersect(missing, own->second));
  missing = intersect(missing, spaces_[making.node]->writable());
  for (const auto& [member, pages] : members) {
    if (missing.empty()) break;
    if (member != making.node) take(member, intersect(missing, pages));
  }
  return loaded;
}

}  // namespace nsr
