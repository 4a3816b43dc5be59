#include "engine/dump/shared_pages.h"

#include "engine/memory/vma.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;

PageRanges private_pages(const LiveTask& t) {
  PageRanges out;
  for (const auto& r : t.pages)
    if (r.private_memory) add_range(out, r.range);
  return out;
}

}  // namespace

SharedPages::SharedPages(std::vector<LiveTask>& live) : live_(live) {
  for (const LiveTask& t : live_) ns_pids_.emplace(t.handle(), t.frozen->ns_pid);
  ByHandle shared, among_children;
  compare_with_parents(shared);
  for (LiveTask& t : live_)
    if (t.entry->first_of_vm) compare_children(t, among_children);
  for (LiveTask& t : live_) {
    if (!t.entry->first_of_vm) continue;
    for (const PageRange& r : unite(shared[t.handle()], among_children[t.handle()])) {
      pb::nsr_range& e = *t.mm_ext.add_shared_with_parent();
      e.set_start(r.start);
      e.set_end(r.end);
    }
    if (t.mm_ext.shared_with_parent_size()) givers_.insert(t.frozen->parent);
  }
}

bool SharedPages::shares(const LiveTask& t) const {
  return t.mm_ext.shared_with_parent_size() || !t.mm_ext.cow_known() || givers_.count(t.frozen->pid);
}

void SharedPages::compare_with_parents(ByHandle& shared) {
  ByHandle pages;
  std::map<HostPid, HostPid> handles;  // by process
  for (LiveTask& t : live_)
    if (t.entry->first_of_vm) pages[handles[t.frozen->pid] = t.handle()] = private_pages(t);
  for (LiveTask& t : live_) {
    t.mm_ext.set_cow_known(true);
    auto parent = handles.find(t.frozen->parent);
    if (parent == handles.end() || !t.entry->first_of_vm) continue;
    auto found = cow_.shared(t.handle(), pages[t.handle()], parent->second, pages[parent->second]);
    if (!found) t.mm_ext.clear_cow_known();
    t.in_parent = shared[t.handle()] = found.value_or(PageRanges());
  }
}

void SharedPages::compare_children(LiveTask& parent, ByHandle& among_children) {
  PageRanges memory;
  for (const auto& v : parent.mm.vmas())
    if (has_own_pages(v)) memory.push_back({v.start(), v.end()});
  auto& list = *parent.mm_ext.mutable_fork_pages();
  for (const CowPages::Group& g : cow_.among_children(parent.handle(), memory)) {
    const auto source = static_cast<uint32_t>(ns_pids_.at(g.members[0]).value);
    const bool goes_on = !list.empty() && list.rbegin()->end() == g.page && list.rbegin()->pid() == source;
    pb::nsr_fork_pages& e = goes_on ? *list.rbegin() : *list.Add();
    if (!goes_on) e.set_start(g.page);
    e.set_end(g.page + kPage);
    e.set_pid(source);
    for (HostPid member : g.members) add_range(among_children[member], {g.page, g.page + kPage});
  }
}

}  // namespace nsr
