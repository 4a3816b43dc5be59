#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>

#include "engine/base/error.h"
#include "engine/memory/address_space.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMaxIov = 1024;
constexpr uint64_t kMaxRead = 1ull << 30;
constexpr uint64_t kWorthPushing = 4 << 20;  // below, stopping the task once more costs more than it saves
constexpr uint64_t kCopiedRun = 16 << 10;    // mean run of pages: each run is a call of its own
constexpr int kMadvPopulateWrite = 23, kMadvCollapse = 25;  // 5.14, 6.1

uint64_t bytes_of(const PageRanges& list) {
  uint64_t n = 0;
  for (const PageRange& r : list) n += r.end - r.start;
  return n;
}

}  // namespace

std::vector<PageLoad> AddressSpace::cut_loads(const PageRanges& which) const {
  std::vector<PageLoad> out;
  size_t k = 0;
  for (const PageLoad& l : loads_) {
    while (k < which.size() && which[k].end <= l.vaddr) k++;
    for (size_t i = k; i < which.size() && which[i].start < l.vaddr + l.bytes; i++) {
      uint64_t start = std::max(which[i].start, l.vaddr), end = std::min(which[i].end, l.vaddr + l.bytes);
      out.push_back({start, end - start, l.file_offset + (start - l.vaddr), l.fd});
    }
  }
  return out;
}

void AddressSpace::choose_pushed(bool copies) {
  PageRanges anonymous, files, forced;
  for (const Vma& v : vmas_)
    if (is_private(*v.entry) && !is_hugetlb(*v.entry))
      (v.forced ? forced : has_file(*v.entry) ? files : anonymous).push_back(v.range());
  PageRanges late = subtract(pages_, complete_);
  forced_ = intersect(late, forced);
  written_ = unite(intersect(late, intersect(huge_, anonymous)), intersect(late, files));
  copied_ = intersect(subtract(late, huge_), anonymous);
  if (!copies || (!copied_.empty() && bytes_of(copied_) / copied_.size() < kCopiedRun)) copied_.clear();
  if (bytes_of(copied_) + bytes_of(written_) >= kWorthPushing) return;
  copied_.clear();
  written_.clear();
}

PageRanges AddressSpace::copied_mappings() const {
  PageRanges out;
  size_t k = 0;
  for (const Vma& v : vmas_) {
    PageRange r = v.range();
    while (k < copied_.size() && copied_[k].end <= r.start) k++;
    if (k < copied_.size() && copied_[k].start < r.end) out.push_back(r);
  }
  return out;
}

void AddressSpace::load(const PageRanges& which, TaskProgram& out, Arena& arena) const {
  std::vector<iovec> iov;
  uint64_t first = 0, bytes = 0;
  int fd = -1;
  auto flush = [&] {
    if (iov.empty()) return;
    auto at = out.calls.call(SYS_preadv, fd, arena.put(iov.data(), iov.size() * sizeof(iovec)), iov.size(), first, 0);
    out.calls.note(format("read its pages from %llx on",
                          static_cast<unsigned long long>(reinterpret_cast<uint64_t>(iov[0].iov_base))));
    out.expect(at, static_cast<int64_t>(bytes));
    iov.clear();
    bytes = 0;
  };
  for (const PageLoad& l : cut_loads(which)) {
    // one call reads what is contiguous in the image
    if (iov.size() == kMaxIov || bytes >= kMaxRead || l.fd != fd || (!iov.empty() && l.file_offset != first + bytes))
      flush();
    if (iov.empty()) first = l.file_offset, fd = l.fd;
    iov.push_back({reinterpret_cast<void*>(l.vaddr), l.bytes});
    bytes += l.bytes;
  }
  flush();
}

void AddressSpace::emit_huge(const PageRanges& ranges, Program& p) const {
  size_t k = 0;
  for (const PageRange& r : ranges) {
    while (k < vmas_.size() && vmas_[k].entry->end() <= r.start) k++;
    const pb::vma_entry& e = *vmas_[k].entry;
    if (is_advised(e, MADV_HUGEPAGE)) {
      p.call(SYS_madvise, e.start(), length_of(e), MADV_HUGEPAGE);
      continue;
    }
    // no advice may remain on it: a first page, then the kernel is asked to make them huge; pages are pages if it does
    // not
    p.call(SYS_madvise, r.start, kPage, kMadvPopulateWrite);
    p.allow(SYS_madvise, r.start, r.end - r.start, kMadvCollapse);
  }
}

void AddressSpace::emit_foreign(const AddressSpace& source, const PageRanges& which, TaskProgram& out,
                                Arena& arena) const {
  out.calls.call(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
  source.load(which, out, arena);
  out.calls.call(SYS_prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

void AddressSpace::emit_late(TaskProgram& out, Arena& arena) const {
  for (const PageRange& r : stale_) out.calls.call(SYS_madvise, r.start, r.end - r.start, MADV_DONTNEED);
  PageRanges late = subtract(pages_, complete_);
  emit_pages(subtract(subtract(subtract(late, copied_), written_), forced_), out, arena);
  emit_huge(intersect(written_, huge_), out.calls);
}

void AddressSpace::emit_pages(const PageRanges& which, TaskProgram& out, Arena& arena) const {
  PageRanges small = subtract(which, huge_), huge = intersect(which, huge_);
  // a range that was of small pages stays so, whatever the advice on its mapping
  if (!small.empty()) {
    out.calls.call(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
    load(small, out, arena);
    out.calls.call(SYS_prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
  }
  emit_huge(huge, out.calls);
  load(huge, out, arena);
}

}  // namespace nsr
