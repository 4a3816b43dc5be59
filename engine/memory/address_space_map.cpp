#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include <algorithm>
#include <set>

#include "engine/base/error.h"
#include "engine/memory/address_space.h"
#include "engine/memory/own_vdso.h"
#include "engine/memory/placed_mappings.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kMadvGuardInstall = 102, kMadvGuardRemove = 103;  // 6.13
constexpr int kMadvPopulateWrite = 23;                          // 5.14

std::string range_text(const char* verb, const pb::vma_entry& v) {
  return format("%s %llx-%llx", verb, static_cast<unsigned long long>(v.start()),
                static_cast<unsigned long long>(v.end()));
}

/// Some free place for n bytes outside of all these ranges.
uint64_t free_place(const PageRanges& taken, uint64_t n) {
  uint64_t at = 0x10000;
  for (const PageRange& r : taken) {
    if (r.start >= at + n) break;
    at = std::max(at, r.end);
  }
  return at;
}

void move(Program& p, uint64_t from, uint64_t n, uint64_t to) {
  p.call(SYS_mremap, from, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  p.note(format("move the vDSO to %llx", static_cast<unsigned long long>(to)));
}

PageRanges all_of(const pb::mm_entry& mm) {
  PageRanges out;
  for (const auto& v : mm.vmas())
    if (is_mapped(v)) out.push_back({v.start(), v.end()});
  return out;
}

/// Gives the mapping around a page memory of its own; the page stays absent.
void emit_touch(uint64_t page, uint32_t prot, Program& p) {
  p.call(SYS_mprotect, page, kPage, PROT_READ | PROT_WRITE);
  p.allow(SYS_madvise, page, kPage, kMadvPopulateWrite);
  p.call(SYS_madvise, page, kPage, MADV_DONTNEED);
  p.call(SYS_mprotect, page, kPage, prot);
}

/// The same for memory that was never writable, but had a guard.
void emit_guard_touch(uint64_t page, Program& p) {
  p.allow(SYS_madvise, page, kPage, kMadvGuardInstall);
  p.allow(SYS_madvise, page, kPage, kMadvGuardRemove);
}

PageRanges vdso_of(const pb::mm_entry& mm) {
  PageRanges out;
  for (const auto& v : mm.vmas())
    if (is_vdso(v)) out.push_back(range_of(v));
  return out;
}

}  // namespace

void AddressSpace::emit_vdso(Program& p) const {
  PageRanges own, want = vdso_of(mm_), taken = unite(all_of(mm_), want);
  if (base_) {
    own = vdso_of(base_->mm_);
    taken = unite(taken, all_of(base_->mm_));
  } else {
    for (const auto& m : own_vdso()) own.push_back({m.start, m.end});
  }
  if (own.empty() && want.empty()) return;
  if (want.empty()) {
    for (const auto& m : own) p.call(SYS_munmap, m.start, m.end - m.start);
    return;
  }
  if (own.empty() || own.back().end - own.front().start != want.back().end - want.front().start)
    throw Error(Failure::environment, "vDSO", "the images come from a kernel whose vDSO has another layout",
                "restore on the kernel they were dumped on");
  uint64_t from = own.front().start, to = want.front().start, n = own.back().end - from;
  if (from == to) return;
  uint64_t at = from;
  if (from < to + n && to < from + n) {
    at = free_place(unite(taken, own), n);
    for (const auto& m : own) move(p, m.start, m.end - m.start, at + (m.start - from));
  }
  for (const auto& m : own) move(p, at + (m.start - from), m.end - m.start, to + (m.start - from));
}

void AddressSpace::emit_inherited(Program& p) const {
  PageRanges keep;
  for (const Vma& v : vmas_)
    if (v.inherited) keep.push_back(v.range());
  for (const PageRange& r : subtract(unite(all_of(base_->mm_), {}), keep)) p.call(SYS_munmap, r.start, r.end - r.start);
  for (const PageRange& r : subtract(intersect(there_, keep), born_)) {
    p.call(SYS_madvise, r.start, r.end - r.start, MADV_DONTNEED);
    p.note("drop pages of the parent");
  }
  for (const Vma& v : vmas_) {
    if (!v.inherited) continue;
    p.call(SYS_mprotect, v.entry->start(), v.length(), v.loading_prot);
    if (v.touched) emit_touch(v.entry->start(), v.loading_prot, p);
  }
}

void AddressSpace::emit_map(const std::function<int(uint32_t)>& fd_of, PageRange area, TaskProgram& out) const {
  Program& p = out.calls;
  // a page that is touched must not become a huge one, whose other parts would stay
  p.call(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
  if (base_) emit_inherited(p);
  emit_vdso(p);
  emit_rings(fd_of, area, out);
  emit_sysv(p);
  emit_mappings(fd_of, p);
  p.call(SYS_prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

/// Parts of one mapping of huge pages, which have one file (that maps shows) and offsets in it.
bool AddressSpace::continues(const Vma& before, const Vma& v) {
  const pb::vma_entry &x = *before.entry, &y = *v.entry;
  return is_hugetlb(y) && !has_file(y) && is_private(y) && is_hugetlb(x) && !has_file(x) && is_private(x) &&
         x.end() == y.start() && x.pgoff() + length_of(x) == y.pgoff() &&
         ((x.flags() ^ y.flags()) & ~static_cast<uint32_t>(MAP_LOCKED)) == 0;
}

void AddressSpace::emit_mappings(const std::function<int(uint32_t)>& fd_of, Program& p) const {
  for (size_t i = 0; i < vmas_.size(); i++) {
    const Vma& v = vmas_[i];
    if (v.inherited || is_ring(v) || (v.entry->status() & (kVmaSysvIpc | kVmaAioRing))) continue;
    size_t last = i;
    while (last + 1 < vmas_.size() && continues(vmas_[last], vmas_[last + 1])) last++;
    emit_mmap(v, vmas_[last].entry->end() - v.entry->start(), fd_of, p);
    for (; i < last; i++) {
      const Vma& part = vmas_[i + 1];
      if (part.loading_prot != v.loading_prot)
        p.call(SYS_mprotect, part.entry->start(), part.length(), part.loading_prot);
    }
  }
}

void AddressSpace::emit_rings(const std::function<int(uint32_t)>& fd_of, PageRange area, TaskProgram& out) const {
  PageRanges taken = unite(vdso_of(mm_), {area});
  std::vector<PlacedMapping> rings;
  for (const Vma& v : vmas_) {
    const pb::vma_entry& e = *v.entry;
    if (v.inherited) taken = unite(taken, {{e.start(), e.end()}});
    if (is_ring(v))
      rings.push_back({{e.start(), e.end()}, e.prot(), e.flags(), fd_of(static_cast<uint32_t>(e.shmid())), e.pgoff()});
  }
  emit_placed(rings, taken, out);
}

/// length: more than its own where its neighbours are parts of the same mapping.
void AddressSpace::emit_mmap(const Vma& v, uint64_t length, const std::function<int(uint32_t)>& fd_of,
                             Program& p) const {
  const pb::vma_entry& e = *v.entry;
  uint32_t flags = (e.flags() & ~static_cast<uint32_t>(MAP_LOCKED)) | MAP_FIXED_NOREPLACE;
  uint32_t prot = v.apart ? (v.loading_prot == PROT_NONE ? PROT_READ : PROT_NONE) : v.loading_prot;
  p.call(SYS_mmap, e.start(), length, prot, flags, has_file(e) ? fd_of(static_cast<uint32_t>(e.shmid())) : -1,
         has_file(e) ? e.pgoff() : 0);
  p.note(range_text("map", e));
  if (v.apart) emit_apart(v, p);
  if (v.touched) emit_touch(e.start(), v.loading_prot, p);
}

/// Neighbours that look the same stay two mappings because each had memory (an anon_vma) before they met. The second
/// one gets its own while a flag tells them apart; emit_settle takes the flag back.
void AddressSpace::emit_apart(const Vma& v, Program& p) const {
  const pb::vma_entry& e = *v.entry;
  if (v.flagged) p.call(SYS_madvise, e.start(), length_of(e), MADV_DONTDUMP);
  p.call(SYS_mprotect, e.start(), length_of(e), v.loading_prot);
  const Vma& before = *(&v - 1);
  if (!(v.loading_prot & PROT_WRITE) && (v.has(procfs::VmFlag::gu) || before.has(procfs::VmFlag::gu))) {
    emit_guard_touch(e.start(), p);
    emit_guard_touch(e.start() - kPage, p);
    return;
  }
  emit_touch(e.start(), v.loading_prot, p);
  if (!before.inherited) emit_touch(e.start() - kPage, before.loading_prot, p);
}

/// shmat(2) attaches a whole segment; what of it is not in the image goes again. Parts of one attachment have the same
/// distance of address and offset.
void AddressSpace::emit_sysv(Program& p) const {
  std::set<std::pair<uint64_t, uint64_t>> attached;  // segment, address of its first byte
  for (const Vma& v : vmas_) {
    const pb::vma_entry& e = *v.entry;
    if ((e.status() & kVmaSysvIpc) && attached.insert({e.shmid(), e.start() - e.pgoff()}).second)
      emit_attachment(e, v.ext ? v.ext->segment() : 0, p);
  }
}

void AddressSpace::emit_attachment(const pb::vma_entry& first, uint64_t segment, Program& p) const {
  uint64_t base = first.start() - first.pgoff();
  p.call(SYS_shmat, first.shmid(), base, (first.fdflags() & 3) == O_RDONLY ? SHM_RDONLY : 0);
  p.note(format("attach shared memory segment %llu", static_cast<unsigned long long>(first.shmid())));
  uint64_t at = base, end = base + (segment + kPage - 1) / kPage * kPage;
  for (const Vma& v : vmas_) {
    const pb::vma_entry& part = *v.entry;
    if (!(part.status() & kVmaSysvIpc) || part.shmid() != first.shmid() || part.start() - part.pgoff() != base)
      continue;
    if (part.start() > at) p.call(SYS_munmap, at, part.start() - at);
    at = part.end();
  }
  if (end > at) p.call(SYS_munmap, at, end - at);
}

}  // namespace nsr
