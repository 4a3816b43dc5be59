#include "engine/memory/address_space.h"

#include <algorithm>

namespace nsr {
namespace {

using procfs::VmFlag;

PageRanges ranges_of(const google::protobuf::RepeatedPtrField<pb::nsr_range>& list) {
  PageRanges out;
  for (const auto& r : list) add_range(out, {r.start(), r.end()});
  return out;
}

PageRanges vdso_of(const pb::mm_entry& mm) {
  PageRanges out;
  for (const auto& v : mm.vmas())
    if (is_vdso(v)) out.push_back({v.start(), v.end()});
  return out;
}

}  // namespace

AddressSpace::AddressSpace(const pb::mm_entry& mm, const pb::nsr_mm_entry& ext, const std::vector<PageLoad>& pages)
    : mm_(mm), ext_(ext) {
  PageRanges vdso = vdso_of(mm), thp;
  for (const PageLoad& l : pages) {
    if (!intersect({{l.vaddr, l.vaddr + l.bytes}}, vdso).empty()) continue;  // the kernel's own, not loaded
    loads_.push_back(l);
    add_range(pages_, {l.vaddr, l.vaddr + l.bytes});
  }
  size_t k = 0;
  for (int i = 0; i < mm.vmas_size(); i++) {
    const auto& v = mm.vmas(i);
    if (!is_mapped(v)) continue;
    while (k < pages_.size() && pages_[k].end <= v.start()) k++;
    bool filled = k < pages_.size() && pages_[k].start < v.end();
    add_vma(v, i < ext.vmas_size() ? &ext.vmas(i) : nullptr, filled);
    if (is_private(v) && !has_file(v) && !is_hugetlb(v)) thp.push_back(range_of(v));
  }
  huge_ = intersect(intersect(ranges_of(ext.huge()), thp), pages_);
}

void AddressSpace::add_vma(const pb::vma_entry& v, const pb::nsr_vma_entry* ext, bool filled) {
  Vma vma{&v};
  vma.ext = ext;
  vma.flags = ext ? ext->flags() : 0;
  bool accounted = vma.has(VmFlag::ac);
  vma.forced =
      ext && filled && !accounted && !(v.prot() & PROT_WRITE) && !(v.flags() & MAP_NORESERVE) && !is_hugetlb(v);
  // memory is accounted when it is mapped writable; what is accounted and cannot be written once could
  vma.loading_prot = v.prot() | (is_private(v) && !vma.forced && (filled || accounted) ? PROT_WRITE : 0);
  // only what was written once has memory that can keep it apart
  bool written = (vma.loading_prot & PROT_WRITE) || (v.flags() & MAP_NORESERVE);
  bool guarded = !vmas_.empty() && (vma.has(VmFlag::gu) || vmas_.back().has(VmFlag::gu));
  vma.apart = !vmas_.empty() && (written || guarded) && mergeable(vmas_.back(), vma);
  vma.flagged = vma.apart && !vmas_.back().flagged;
  // mprotect(2) takes the accounting back from memory that was never touched (6.7)
  vma.touched = !filled && !has_file(v) && accounted && !(v.prot() & PROT_WRITE);
  vmas_.push_back(vma);
}

bool AddressSpace::is_ring(const Vma& v) { return v.ext && v.ext->placed_by_kernel(); }

bool AddressSpace::mergeable(const Vma& a, const Vma& b) const {
  const pb::vma_entry &x = *a.entry, &y = *b.entry;
  constexpr uint32_t kNames = kVmaStack | kVmaHeap;
  // what once had a guard is joined with what had none
  bool differ = (a.flags ^ b.flags) & ~static_cast<uint64_t>(VmFlag::gu);
  if (x.end() != y.start() || !is_private(x) || is_hugetlb(x) || x.prot() != y.prot() || x.flags() != y.flags() ||
      x.madv() != y.madv() || (x.status() & ~kNames) != (y.status() & ~kNames) || differ)
    return false;
  if (has_file(x) && (x.shmid() != y.shmid() || x.pgoff() + length_of(x) != y.pgoff())) return false;
  if (a.ext && b.ext && (a.ext->name() != b.ext->name() || a.ext->pkey() != b.ext->pkey())) return false;
  return true;
}

bool AddressSpace::inheritable(const Vma& vma, const AddressSpace& base) const {
  const pb::vma_entry& v = *vma.entry;
  // a border to a neighbour of the same kind must be there in the parent, too
  bool next_apart = &vma != &vmas_.back() && (&vma + 1)->apart;
  const Vma* b = base.vma_around(vma.range());
  if (!b) return false;
  if (vma.apart || next_apart) {
    bool exact =
        b->range() == vma.range() && b->apart == vma.apart && (b != &base.vmas_.back() && (b + 1)->apart) == next_apart;
    if (!exact) return false;
  }
  if (!is_private(v) || is_hugetlb(v) || vma.forced) return false;
  constexpr uint32_t kFlags = MAP_GROWSDOWN | MAP_NORESERVE | MAP_ANONYMOUS | MAP_TYPE;
  const pb::vma_entry& w = *b->entry;
  // what was accounted once stays so
  auto accounted = [](const Vma& x) { return x.has(VmFlag::ac) || (x.loading_prot & PROT_WRITE); };
  if (accounted(*b) != accounted(vma)) return false;
  if (!is_private(w) || (w.flags() & kFlags) != (v.flags() & kFlags)) return false;
  return !has_file(v) || (w.shmid() == v.shmid() && w.pgoff() - w.start() == v.pgoff() - v.start());
}

const AddressSpace::Vma* AddressSpace::vma_around(PageRange r) const {
  auto at = std::lower_bound(vmas_.begin(), vmas_.end(), r.end,
                             [](const Vma& v, uint64_t end) { return v.entry->end() < end; });
  return at != vmas_.end() && at->entry->start() <= r.start ? &*at : nullptr;
}

PageRanges AddressSpace::heritable(const AddressSpace& base) const {
  PageRanges out;
  for (const Vma& v : vmas_)
    if (inheritable(v, base)) out.push_back(v.range());
  return out;
}

PageRanges AddressSpace::writable() const {
  PageRanges out;
  for (const Vma& v : vmas_)
    if (v.loading_prot & PROT_WRITE) out.push_back(v.range());
  return out;
}

void AddressSpace::be_born_from(const AddressSpace& base, const PageRanges& there, const PageRanges& born) {
  base_ = &base;
  there_ = there;
  born_ = born;
  if (born.empty()) return;
  for (Vma& v : vmas_) {
    v.inherited = inheritable(v, base);
    if (v.inherited) v.flagged = base.vma_around(v.range())->flagged;
  }
}

void AddressSpace::after_children(const PageRanges& complete, const PageRanges& stale) {
  complete_ = complete;
  stale_ = stale;
}

}  // namespace nsr
