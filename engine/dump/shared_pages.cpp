#include "engine/dump/shared_pages.h"

#include <algorithm>
#include <optional>

#include "engine/memory/pagemap_links.h"

namespace nsr {
namespace {

constexpr size_t kMostCommons = 16;  // each is a level of links for those that use it

PageRanges private_pages(const LiveTask& t) {
  PageRanges out;
  for (const auto& r : t.pages)
    if (r.private_memory) add_range(out, r.range);
  return out;
}

void append(PageRanges& to, const PageRanges& more) { to.insert(to.end(), more.begin(), more.end()); }
void sort(PageRanges& list) { list = unite(list, {}); }

}  // namespace

SharedPages::SharedPages(std::vector<LiveTask>& live) : live_(live) {
  add_members();
  std::vector<PrivatePages> memory;
  for (const Member& m : members_) memory.push_back({m.task->handle(), private_pages(*m.task)});
  auto groups = find_common_pages(memory);
  if (!groups) return;
  for (LiveTask& t : live_) t.mm_ext.set_cow_known(true);
  note(*groups);
  choose_places(*groups);
}

void SharedPages::add_members() {
  std::map<HostPid, uint32_t> vm_of;  // by process
  for (LiveTask& t : live_) {
    vm_of[t.frozen->pid] = t.entry->ids.vm_id();
    if (t.entry->first_of_vm && by_vm_.emplace(t.entry->ids.vm_id(), members_.size()).second)
      members_.push_back({&t, -1, {}, {}, {}});
  }
  for (size_t i = 0; i < members_.size(); i++) {
    auto vm = vm_of.find(members_[i].task->frozen->parent);
    auto parent = vm == vm_of.end() ? by_vm_.end() : by_vm_.find(vm->second);
    if (parent != by_vm_.end() && parent->second < i) members_[i].parent = static_cast<int>(parent->second);
  }
}

void SharedPages::note(const std::vector<CommonPages>& groups) {
  struct Noted {
    PageRange range;
    uint32_t group;
  };
  std::vector<std::vector<Noted>> noted(members_.size());
  for (size_t g = 0; g < groups.size(); g++)
    for (size_t m : groups[g].members)
      for (const PageRange& r : groups[g].pages) noted[m].push_back({r, static_cast<uint32_t>(g) + 1});
  for (size_t m = 0; m < members_.size(); m++) {
    std::sort(noted[m].begin(), noted[m].end(),
              [](const Noted& a, const Noted& b) { return a.range.start < b.range.start; });
    for (const Noted& n : noted[m]) {
      pb::nsr_common_pages& e = *members_[m].task->mm_ext.add_common();
      e.set_start(n.range.start);
      e.set_end(n.range.end);
      e.set_group(n.group);
    }
  }
}

/// Where the parents of all members but one are members too, the pages stand in the image of that one; else in a common
/// image, the largest groups first.
void SharedPages::choose_places(const std::vector<CommonPages>& groups) {
  std::vector<const CommonPages*> others;
  for (const CommonPages& g : groups)
    if (!stands_with_parents(g)) others.push_back(&g);
  if (others.empty()) return;
  std::stable_sort(others.begin(), others.end(),
                   [](const auto* a, const auto* b) { return a->members.size() > b->members.size(); });
  for (const Member& m : members_) elsewhere_.push_back(m.in_parent);
  for (const CommonPages* g : others)
    for (size_t m : g->members) append(elsewhere_[m], g->pages);
  for (PageRanges& list : elsewhere_) sort(list);
  for (const CommonPages* g : others) put(*g);
  for (Member& m : members_) sort(m.in_common);
}

/// A user of a common image finds there all that it has for an address that the user looks for.
bool SharedPages::has_room(const Common& common, const CommonPages& group) const {
  if (overlap(group.pages, common.pages)) return false;
  for (size_t m = 0; m < members_.size(); m++) {
    const bool member = std::binary_search(group.members.begin(), group.members.end(), m);
    if (member && !common.users[m] && overlap(common.pages, elsewhere_[m])) return false;
    if (!member && common.users[m] && overlap(group.pages, elsewhere_[m])) return false;
  }
  return true;
}

/// Each member stores the pages for itself when there is room nowhere.
void SharedPages::put(const CommonPages& group) {
  size_t k = 0;
  while (k < commons_.size() && !has_room(commons_[k], group)) k++;
  if (k == kMostCommons) return;
  if (k == commons_.size()) commons_.push_back({{}, {}, std::vector<bool>(members_.size())});
  Common& common = commons_[k];
  common.pages = unite(common.pages, group.pages);
  for (const PageRange& r : group.pages) common.ranges[r.start] = {r, members_[group.members[0]].task->handle()};
  for (size_t m : group.members) {
    append(members_[m].in_common, group.pages);
    if (!common.users[m]) members_[m].commons.push_back(k);
    common.users[m] = true;
  }
}

bool SharedPages::stands_with_parents(const CommonPages& group) {
  auto has = [&](int m) {
    return m >= 0 && std::binary_search(group.members.begin(), group.members.end(), static_cast<size_t>(m));
  };
  size_t tops = 0;
  for (size_t m : group.members) tops += !has(members_[m].parent);
  if (tops != 1) return false;
  for (size_t m : group.members)
    if (has(members_[m].parent)) append(members_[m].in_parent, group.pages);
  return true;
}

std::vector<uint32_t> SharedPages::write_commons(PageStore& store) const {
  std::vector<uint32_t> out;
  for (size_t k = 0; k < commons_.size(); k++) {
    PageRanges behind;
    for (size_t m = 0; m < members_.size(); m++)
      if (commons_[k].users[m]) append(behind, members_[m].elsewhere());
    std::vector<PageStore::CommonRange> ranges;
    for (const auto& [start, range] : commons_[k].ranges) ranges.push_back(range);
    out.push_back(store.write_common(k, ranges, unite(behind, {})));
  }
  return out;
}

void SharedPages::write(const ImageDir& images, PageStore& store) {
  const std::vector<uint32_t> commons = write_commons(store);
  std::vector<StoredPagemap> stored;
  std::vector<int> index(members_.size());  // of each member in stored
  for (LiveTask& t : live_) {
    StoredPagemap& s = stored.emplace_back();
    s.pid = t.frozen->ns_pid;
    PageRanges elsewhere;
    if (t.entry->first_of_vm) {
      const size_t member = by_vm_.at(t.entry->ids.vm_id());
      const Member& m = members_[member];
      index[member] = static_cast<int>(stored.size()) - 1;
      if (m.parent >= 0) s.parent = index[static_cast<size_t>(m.parent)];
      s.leans = !m.in_parent.empty();
      s.commons = m.commons;
      std::sort(s.commons.begin(), s.commons.end());
      elsewhere = m.elsewhere();
    }
    s.pages_id = store.write_task(t.handle(), s.pid, t.pages, shares(t), elsewhere);
  }
  link_pagemaps(images, stored, commons);
}

}  // namespace nsr
