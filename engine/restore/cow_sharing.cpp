#include "engine/restore/cow_sharing.h"

#include <algorithm>
#include <cstring>

#include "engine/memory/mapped_image.h"
#include "engine/memory/vma.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;

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
    : shared_(set.tasks.size()), fork_pages_(set.tasks.size()) {
  for (size_t i = 0; i < set.tasks.size(); i++) {
    const ImageTask& t = set.tasks[i];
    if (t.zombie) continue;
    for (const auto& f : t.mm_ext.fork_pages())
      for (size_t c : t.children)
        if (static_cast<uint32_t>(set.tasks[c].pid.value) == f.pid())
          add_range(fork_pages_[i][static_cast<int>(c)], {f.start(), f.end()});
    for (auto& [c, ranges] : fork_pages_[i])
      ranges = intersect(ranges, intersect(private_memory(t), pages_of(set.tasks[static_cast<size_t>(c)])));
    if (t.parent < 0) continue;
    const ImageTask& parent = set.tasks[static_cast<size_t>(t.parent)];
    if (t.mm_ext.cow_known()) {
      for (const auto& r : t.mm_ext.shared_with_parent()) add_range(shared_[i], {r.start(), r.end()});
      shared_[i] = intersect(shared_[i], intersect(private_memory(t), private_memory(parent)));
    } else {
      shared_[i] = compare(parent, t, pages_fd);
    }
    for (const PageRange& r : shared_[i]) counts_.shared += (r.end - r.start) / kPage;
  }
}

PageRanges CowSharing::compare(const ImageTask& parent, const ImageTask& child, const std::vector<int>& pages_fd) {
  PageRanges out;
  PageRanges both = intersect(private_memory(parent), private_memory(child));
  if (both.empty()) return out;
  std::map<size_t, MappedImage> mapped;
  auto page_of = [&](const PageRun& r, uint64_t at) {
    return mapped.try_emplace(r.file, pages_fd[r.file]).first->second.at(r.file_offset + (at - r.vaddr), kPage);
  };
  size_t k = 0;
  for (const PageRun& c : child.pages) {
    while (k < parent.pages.size() && parent.pages[k].vaddr + parent.pages[k].bytes <= c.vaddr) k++;
    for (size_t i = k; i < parent.pages.size() && parent.pages[i].vaddr < c.vaddr + c.bytes; i++) {
      const PageRun& p = parent.pages[i];
      uint64_t end = std::min(p.vaddr + p.bytes, c.vaddr + c.bytes);
      for (uint64_t at = std::max(p.vaddr, c.vaddr); at < end; at += kPage) {
        const std::byte* x = page_of(p, at);
        const std::byte* y = page_of(c, at);
        counts_.compared++;
        if (x && y && (x == y || std::memcmp(x, y, kPage) == 0)) add_range(out, {at, at + kPage});
      }
    }
  }
  return intersect(out, both);
}

}  // namespace nsr
