#include "engine/restore/cow_sharing.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "engine/memory/vma.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;

/// A pages image as memory; nothing when it cannot be mapped (then nothing is compared).
class MappedPages {
 public:
  explicit MappedPages(int fd) {
    struct stat st {};
    if (::fstat(fd, &st) || st.st_size == 0) return;
    void* at = ::mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return;
    at_ = static_cast<const std::byte*>(at);
    size_ = static_cast<size_t>(st.st_size);
  }
  ~MappedPages() {
    if (at_) ::munmap(const_cast<std::byte*>(at_), size_);
  }
  MappedPages(const MappedPages&) = delete;
  const std::byte* page(uint64_t offset) const { return at_ && offset + kPage <= size_ ? at_ + offset : nullptr; }

 private:
  const std::byte* at_ = nullptr;
  size_t size_ = 0;
};

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

CowSharing::CowSharing(const ImageSet& set, const std::map<int, int>& pages_fd)
    : shared_(set.tasks.size()), fork_pages_(set.tasks.size()) {
  for (size_t i = 0; i < set.tasks.size(); i++) {
    const ImageTask& t = set.tasks[i];
    if (t.zombie) continue;
    for (const auto& f : t.mm_ext.fork_pages())
      for (size_t c : t.children)
        if (static_cast<uint32_t>(set.tasks[c].pid.value) == f.pid() && pages_fd.count(static_cast<int>(c)))
          add_range(fork_pages_[i][static_cast<int>(c)], {f.start(), f.end()});
    for (auto& [c, ranges] : fork_pages_[i])
      ranges = intersect(ranges, intersect(private_memory(t), pages_of(set.tasks[static_cast<size_t>(c)])));
    if (t.parent < 0) continue;
    const ImageTask& parent = set.tasks[static_cast<size_t>(t.parent)];
    auto own = pages_fd.find(static_cast<int>(i)), theirs = pages_fd.find(t.parent);
    if (own == pages_fd.end() || theirs == pages_fd.end()) continue;
    if (t.mm_ext.cow_known()) {
      for (const auto& r : t.mm_ext.shared_with_parent()) add_range(shared_[i], {r.start(), r.end()});
      shared_[i] = intersect(shared_[i], intersect(private_memory(t), private_memory(parent)));
    } else {
      shared_[i] = compare(parent, theirs->second, t, own->second);
    }
    for (const PageRange& r : shared_[i]) counts_.shared += (r.end - r.start) / kPage;
  }
}

PageRanges CowSharing::compare(const ImageTask& parent, int parent_fd, const ImageTask& child, int child_fd) {
  PageRanges out;
  PageRanges both = intersect(private_memory(parent), private_memory(child));
  if (both.empty()) return out;
  MappedPages theirs(parent_fd), own(child_fd);
  size_t k = 0;
  for (const PageRun& c : child.pages) {
    while (k < parent.pages.size() && parent.pages[k].vaddr + parent.pages[k].bytes <= c.vaddr) k++;
    for (size_t i = k; i < parent.pages.size() && parent.pages[i].vaddr < c.vaddr + c.bytes; i++) {
      const PageRun& p = parent.pages[i];
      uint64_t end = std::min(p.vaddr + p.bytes, c.vaddr + c.bytes);
      for (uint64_t at = std::max(p.vaddr, c.vaddr); at < end; at += kPage) {
        const std::byte* x = theirs.page(p.file_offset + (at - p.vaddr));
        const std::byte* y = own.page(c.file_offset + (at - c.vaddr));
        counts_.compared++;
        if (x && y && std::memcmp(x, y, kPage) == 0) add_range(out, {at, at + kPage});
      }
    }
  }
  return intersect(out, both);
}

}  // namespace nsr
