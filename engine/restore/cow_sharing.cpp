#include "engine/restore/cow_sharing.h"

#include <algorithm>
#include <cstring>

#include "engine/memory/vma.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kCompared = 1ull << 32;  // groups that are found here, by the topmost task

PageRanges private_memory(const ImageTask& t) {
  PageRanges out;
  for (const auto& v : t.mm.vmas())
    if (has_own_pages(v) && !(v.status() & kVmaVdso)) add_range(out, {v.start(), v.end()});
  return out;
}

PageRanges pages_of(const ImageTask& t) {
  PageRanges out;
  for (const PageRun& r : t.pages) add_range(out, {r.vaddr, r.vaddr + r.bytes});
  return out;
}

}  // namespace

CowSharing::CowSharing(const ImageSet& set, const std::vector<int>& pages_fd)
    : set_(set), pages_fd_(pages_fd), runs_(set.tasks.size()) {
  for (size_t i = 0; i < set.tasks.size(); i++) {
    const ImageTask& t = set.tasks[i];
    if (t.zombie) continue;
    if (t.mm_ext.cow_known())
      take_noted(i);
    else if (t.parent >= 0)
      compare_with_parent(i);
  }
  for (const auto& [task, ranges] : of_parents_)
    for (const PageRange& r : ranges) runs_[task].push_back({r, kCompared + task});
  images_.clear();
}

void CowSharing::take_noted(size_t task) {
  const ImageTask& t = set_.tasks[task];
  if (t.mm_ext.common().empty()) return;
  const PageRanges there = intersect(private_memory(t), pages_of(t));
  size_t k = 0;
  for (const auto& c : t.mm_ext.common()) {
    while (k < there.size() && there[k].end <= c.start()) k++;
    for (size_t i = k; i < there.size() && there[i].start < c.end(); i++)
      runs_[task].push_back({{std::max(c.start(), there[i].start), std::min(c.end(), there[i].end)}, c.group()});
  }
}

void CowSharing::compare_with_parent(size_t task) {
  const auto parent = static_cast<size_t>(set_.tasks[task].parent);
  PageRanges equal = equal_pages(set_.tasks[parent], set_.tasks[task]), known;
  for (const CommonRun& run : runs_[parent])
    for (const PageRange& r : intersect(equal, {run.range})) {
      runs_[task].push_back({r, run.group});
      known.push_back(r);
    }
  PageRanges fresh = subtract(equal, unite(known, {}));
  for (const PageRange& r : fresh) runs_[task].push_back({r, kCompared + parent});
  of_parents_[parent] = unite(of_parents_[parent], fresh);
}

const std::byte* CowSharing::page_of(const PageRun& r, uint64_t vaddr) {
  return images_.try_emplace(r.file, pages_fd_[r.file]).first->second.at(r.file_offset + (vaddr - r.vaddr), kPage);
}

PageRanges CowSharing::equal_pages(const ImageTask& parent, const ImageTask& child) {
  PageRanges out;
  PageRanges both = intersect(private_memory(parent), private_memory(child));
  if (both.empty()) return out;
  size_t k = 0;
  for (const PageRun& c : child.pages) {
    while (k < parent.pages.size() && parent.pages[k].vaddr + parent.pages[k].bytes <= c.vaddr) k++;
    for (size_t i = k; i < parent.pages.size() && parent.pages[i].vaddr < c.vaddr + c.bytes; i++) {
      const PageRun& p = parent.pages[i];
      uint64_t end = std::min(p.vaddr + p.bytes, c.vaddr + c.bytes);
      for (uint64_t at = std::max(p.vaddr, c.vaddr); at < end; at += kPage) {
        const std::byte* x = page_of(p, at);
        const std::byte* y = page_of(c, at);
        compared_++;
        if (x && y && (x == y || std::memcmp(x, y, kPage) == 0)) add_range(out, {at, at + kPage});
      }
    }
  }
  return intersect(out, both);
}

}  // namespace nsr
