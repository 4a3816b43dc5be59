#include "engine/memory/vma_restore.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>

#include "arch/arch.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/memory/aio_ring.h"
#include "engine/memory/placed_mappings.h"
#include "engine/memory/vma.h"
#include "engine/procfs/smaps.h"

namespace nsr {
namespace {

using procfs::VmFlag;

constexpr uint64_t kPage = 4096;
constexpr size_t kMaxIov = 1024;
constexpr uint64_t kMaxRead = 1ull << 30;
constexpr uint64_t kWorthPushing = 4 << 20;  // below, stopping the task once more costs more than it saves
constexpr uint64_t kPushedRun = 16 << 10;    // mean run of pages: each run is a call of its own
constexpr int kPrSetMm = 35, kPrSetMmMap = 14;
constexpr int kPrSetVma = 0x53564d41, kPrSetVmaAnonName = 0;
constexpr int kMadvPopulateWrite = 23, kMadvCollapse = 25, kMadvGuardInstall = 102;  // 5.14, 6.1, 6.13
constexpr long kSysMseal = 462;                                                      // 6.10
constexpr int kMlockOnfault = 1;
constexpr unsigned kPkeys = 15;

bool is_vdso(const pb::vma_entry& v) { return v.status() & (kVmaVdso | kVmaVvar); }
bool is_mapped(const pb::vma_entry& v) { return (v.status() & kVmaRegular) && !is_vdso(v); }
bool is_private(const pb::vma_entry& v) { return v.status() & (kVmaAnonPrivate | kVmaFilePrivate); }
bool has_file(const pb::vma_entry& v) { return !(v.flags() & MAP_ANONYMOUS); }
bool is_hugetlb(const pb::vma_entry& v) { return v.flags() & MAP_HUGETLB; }
bool has(uint64_t flags, VmFlag f) { return flags & static_cast<uint64_t>(f); }
uint64_t length(const pb::vma_entry& v) { return v.end() - v.start(); }

std::string range_text(const char* verb, const pb::vma_entry& v) {
  return format("%s %llx-%llx", verb, static_cast<unsigned long long>(v.start()),
                static_cast<unsigned long long>(v.end()));
}

PageRanges ranges_of(const google::protobuf::RepeatedPtrField<pb::nsr_range>& list) {
  PageRanges out;
  for (const auto& r : list) add_range(out, {r.start(), r.end()});
  return out;
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

PageRanges vdso_of(const pb::mm_entry& mm) {
  PageRanges out;
  for (const auto& v : mm.vmas())
    if (is_vdso(v)) out.push_back({v.start(), v.end()});
  return out;
}

/// Gives the mapping around a page memory of its own; the page stays absent.
void emit_touch(uint64_t page, uint32_t prot, Program& p) {
  p.call(SYS_mprotect, page, kPage, PROT_READ | PROT_WRITE);
  p.allow(SYS_madvise, page, kPage, kMadvPopulateWrite);
  p.call(SYS_madvise, page, kPage, MADV_DONTNEED);
  p.call(SYS_mprotect, page, kPage, prot);
}

}  // namespace

const std::vector<procfs::MapsEntry>& own_vdso() {
  // Read once: it does not move, and /proc may show another pid namespace later (a restored root that is pid 1).
  static const std::vector<procfs::MapsEntry> found = [] {
    std::vector<procfs::MapsEntry> out;
    for (auto& m : procfs::parse_maps(read_file("/proc/self/maps").value_or(""))) {
      auto kind = procfs::naming(m);
      if (kind == procfs::VmaNaming::vdso || kind == procfs::VmaNaming::vvar) out.push_back(std::move(m));
    }
    return out;
  }();
  return found;
}

RemoteAddr syscall_insn_of(const pb::mm_entry& mm) {
  static const std::optional<size_t> at = [] {
    for (const auto& m : own_vdso())
      if (procfs::naming(m) == procfs::VmaNaming::vdso)
        return std::optional<size_t>(
            arch::find_syscall_insn({reinterpret_cast<const std::byte*>(m.start), m.length()}));
    return std::optional<size_t>();
  }();
  for (const auto& v : mm.vmas())
    if (at && (v.status() & kVmaVdso)) return RemoteAddr(v.start() + *at);
  return RemoteAddr(0);
}

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
    Vma vma{&v};
    if (i < ext.vmas_size()) {
      vma.ext = &ext.vmas(i);
      vma.flags = vma.ext->flags();
    }
    while (k < pages_.size() && pages_[k].end <= v.start()) k++;
    bool filled = k < pages_.size() && pages_[k].start < v.end();
    // memory is accounted when it is mapped writable; what is accounted and cannot be written once could
    bool writable = is_private(v) && (filled || has(vma.flags, VmFlag::ac));
    vma.loading_prot = v.prot() | (writable ? PROT_WRITE : 0);
    // only what was written once has memory that can keep it apart
    bool written = (vma.loading_prot & PROT_WRITE) || (v.flags() & MAP_NORESERVE);
    vma.apart = !vmas_.empty() && written && mergeable(vmas_.back(), vma);
    vma.flagged = vma.apart && !vmas_.back().flagged;
    // mprotect(2) takes the accounting back from memory that was never touched (6.7)
    vma.touched = !filled && !has_file(v) && has(vma.flags, VmFlag::ac) && !(v.prot() & PROT_WRITE);
    if (is_private(v) && !has_file(v) && !is_hugetlb(v)) thp.push_back({v.start(), v.end()});
    vmas_.push_back(vma);
  }
  huge_ = intersect(intersect(ranges_of(ext.huge()), thp), pages_);
}

bool AddressSpace::is_ring(const Vma& v) { return v.ext && v.ext->placed_by_kernel(); }

bool AddressSpace::mergeable(const Vma& a, const Vma& b) const {
  const pb::vma_entry &x = *a.entry, &y = *b.entry;
  constexpr uint32_t kNames = kVmaStack | kVmaHeap;
  if (x.end() != y.start() || !is_private(x) || is_hugetlb(x) || x.prot() != y.prot() || x.flags() != y.flags() ||
      x.madv() != y.madv() || (x.status() & ~kNames) != (y.status() & ~kNames) || a.flags != b.flags)
    return false;
  if (has_file(x) && (x.shmid() != y.shmid() || x.pgoff() + length(x) != y.pgoff())) return false;
  if (a.ext && b.ext && (a.ext->name() != b.ext->name() || a.ext->pkey() != b.ext->pkey())) return false;
  return true;
}

bool AddressSpace::inheritable(const Vma& vma, const AddressSpace& base) const {
  const pb::vma_entry& v = *vma.entry;
  // a border to a neighbour of the same kind must be there in the parent, too
  bool next_apart = &vma != &vmas_.back() && (&vma + 1)->apart;
  if (vma.apart || next_apart) {
    bool exact = false;
    for (const Vma& b : base.vmas_)
      exact |= b.entry->start() == v.start() && b.entry->end() == v.end() && b.apart == vma.apart &&
               (&b != &base.vmas_.back() && (&b + 1)->apart) == next_apart;
    if (!exact) return false;
  }
  if (!is_private(v) || is_hugetlb(v)) return false;
  constexpr uint32_t kFlags = MAP_GROWSDOWN | MAP_NORESERVE | MAP_ANONYMOUS | MAP_TYPE;
  for (const Vma& b : base.vmas_) {
    const pb::vma_entry& w = *b.entry;
    if (w.start() > v.start() || w.end() < v.end()) continue;
    // what was accounted once stays so
    auto accounted = [](const Vma& x) { return has(x.flags, VmFlag::ac) || (x.loading_prot & PROT_WRITE); };
    if (accounted(b) != accounted(vma)) return false;
    if (!is_private(w) || (w.flags() & kFlags) != (v.flags() & kFlags)) return false;
    return !has_file(v) || (w.shmid() == v.shmid() && w.pgoff() - w.start() == v.pgoff() - v.start());
  }
  return false;
}

void AddressSpace::be_born_from(const AddressSpace& base, const PageRanges& shared) {
  base_ = &base;
  if (shared.empty()) return;
  PageRanges inherited;
  for (Vma& v : vmas_) {
    v.inherited = inheritable(v, base);
    if (!v.inherited) continue;
    inherited.push_back({v.entry->start(), v.entry->end()});
    v.flagged = false;
    for (const Vma& b : base.vmas_)
      if (b.entry->start() <= v.entry->start() && b.entry->end() >= v.entry->end()) v.flagged = b.flagged;
  }
  kept_ = intersect(subtract(intersect(shared, pages_), base.refused_), intersect(inherited, base.at_fork()));
}

PageRanges AddressSpace::at_fork() const { return unite(unite(kept_, early_), for_children_); }

void AddressSpace::load_for_children(const PageRanges& wanted, const AddressSpace& source) {
  PageRanges writable, heritable;
  for (const Vma& v : vmas_)
    if (v.loading_prot & PROT_WRITE) writable.push_back({v.entry->start(), v.entry->end()});
  for (const Vma& v : source.vmas_)
    if (source.inheritable(v, *this)) heritable.push_back({v.entry->start(), v.entry->end()});
  PageRanges pages = intersect(intersect(subtract(wanted, kept_), writable), heritable);
  refused_ = unite(refused_, subtract(wanted, pages));
  if (pages.empty()) return;
  foreign_.push_back({pages, &source});
  for_children_ = unite(for_children_, pages);
}

void AddressSpace::load_early(const PageRanges& wanted) {
  early_ = unite(early_, subtract(subtract(intersect(wanted, pages_), kept_), for_children_));
}

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
    if (v.inherited) keep.push_back({v.entry->start(), v.entry->end()});
  for (const PageRange& r : subtract(unite(all_of(base_->mm_), {}), keep)) p.call(SYS_munmap, r.start, r.end - r.start);
  for (const PageRange& r : subtract(intersect(base_->at_fork(), keep), kept_)) {
    p.call(SYS_madvise, r.start, r.end - r.start, MADV_DONTNEED);
    p.note("drop pages of the parent");
  }
  for (const Vma& v : vmas_) {
    if (!v.inherited) continue;
    p.call(SYS_mprotect, v.entry->start(), length(*v.entry), v.loading_prot);
    if (v.touched) emit_touch(v.entry->start(), v.loading_prot, p);
  }
}

void AddressSpace::emit_map(const std::function<int(uint32_t)>& fd_of, PageRange area, TaskProgram& out) const {
  Program& p = out.calls;
  if (base_) emit_inherited(p);
  emit_vdso(p);
  emit_rings(fd_of, area, out);
  emit_sysv(p);
  for (const Vma& v : vmas_)
    if (!v.inherited && !is_ring(v) && !(v.entry->status() & (kVmaSysvIpc | kVmaAioRing))) emit_mmap(v, fd_of, p);
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

void AddressSpace::emit_mmap(const Vma& v, const std::function<int(uint32_t)>& fd_of, Program& p) const {
  const pb::vma_entry& e = *v.entry;
  uint32_t flags = (e.flags() & ~static_cast<uint32_t>(MAP_LOCKED)) | MAP_FIXED_NOREPLACE;
  uint32_t prot = v.apart ? (v.loading_prot == PROT_NONE ? PROT_READ : PROT_NONE) : v.loading_prot;
  p.call(SYS_mmap, e.start(), length(e), prot, flags, has_file(e) ? fd_of(static_cast<uint32_t>(e.shmid())) : -1,
         has_file(e) ? e.pgoff() : 0);
  p.note(range_text("map", e));
  if (v.apart) emit_apart(v, p);
  if (v.touched) emit_touch(e.start(), v.loading_prot, p);
}

/// Neighbours that look the same stay two mappings because each had memory (an anon_vma) before they met. The second
/// one gets its own while a flag tells them apart; emit_settle takes the flag back.
void AddressSpace::emit_apart(const Vma& v, Program& p) const {
  const pb::vma_entry& e = *v.entry;
  if (v.flagged) p.call(SYS_madvise, e.start(), length(e), MADV_DONTDUMP);
  p.call(SYS_mprotect, e.start(), length(e), v.loading_prot);
  const Vma& before = *(&v - 1);
  emit_touch(e.start(), v.loading_prot, p);
  if (!before.inherited) emit_touch(e.start() - kPage, before.loading_prot, p);
}

/// shmat(2) attaches a whole segment; what of it is not in the image goes again. Parts of one attachment have the same
/// distance of address and offset.
void AddressSpace::emit_sysv(Program& p) const {
  for (size_t i = 0; i < vmas_.size(); i++) {
    const pb::vma_entry& first = *vmas_[i].entry;
    if (!(first.status() & kVmaSysvIpc)) continue;
    bool known = false;
    for (size_t k = 0; k < i; k++) {
      const pb::vma_entry& o = *vmas_[k].entry;
      known |= (o.status() & kVmaSysvIpc) && o.shmid() == first.shmid() &&
               o.start() - o.pgoff() == first.start() - first.pgoff();
    }
    if (known) continue;
    uint64_t base = first.start() - first.pgoff();
    p.call(SYS_shmat, first.shmid(), base, (first.fdflags() & 3) == O_RDONLY ? SHM_RDONLY : 0);
    p.note(format("attach shared memory segment %llu", static_cast<unsigned long long>(first.shmid())));
    uint64_t at = base;
    for (size_t k = i; k < vmas_.size(); k++) {
      const pb::vma_entry& o = *vmas_[k].entry;
      if (!(o.status() & kVmaSysvIpc) || o.shmid() != first.shmid() || o.start() - o.pgoff() != base) continue;
      if (o.start() > at) p.call(SYS_munmap, at, o.start() - at);
      at = o.end();
    }
    uint64_t end = base + ((vmas_[i].ext ? vmas_[i].ext->segment() : 0) + kPage - 1) / kPage * kPage;
    if (end > at) p.call(SYS_munmap, at, end - at);
  }
}

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

void AddressSpace::choose_pushed() {
  PageRanges anonymous;
  for (const Vma& v : vmas_)
    if ((v.entry->status() & kVmaAnonPrivate) && !is_hugetlb(*v.entry))
      anonymous.push_back({v.entry->start(), v.entry->end()});
  pushed_ = intersect(subtract(subtract(subtract(pages_, kept_), early_), huge_), anonymous);
  uint64_t bytes = 0;
  for (const PageRange& r : pushed_) bytes += r.end - r.start;
  if (bytes < kWorthPushing || bytes / pushed_.size() < kPushedRun) pushed_.clear();
}

PageRanges AddressSpace::pushed_mappings() const {
  PageRanges out;
  size_t k = 0;
  for (const Vma& v : vmas_) {
    PageRange r{v.entry->start(), v.entry->end()};
    while (k < pushed_.size() && pushed_[k].end <= r.start) k++;
    if (k < pushed_.size() && pushed_[k].start < r.end) out.push_back(r);
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
    if (e.madv() >> MADV_HUGEPAGE & 1) {
      p.call(SYS_madvise, e.start(), length(e), MADV_HUGEPAGE);
      continue;
    }
    // no advice may remain on it: a first page, then the kernel is asked to make them huge; pages are pages if it does
    // not
    p.call(SYS_madvise, r.start, kPage, kMadvPopulateWrite);
    p.allow(SYS_madvise, r.start, r.end - r.start, kMadvCollapse);
  }
}

void AddressSpace::emit_early(TaskProgram& out, Arena& arena) const {
  emit_pages(early_, out, arena);
  if (foreign_.empty()) return;
  out.calls.call(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
  for (const Foreign& f : foreign_) f.source->load(f.pages, out, arena);
  out.calls.call(SYS_prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

void AddressSpace::emit_late(TaskProgram& out, Arena& arena) const {
  for (const PageRange& r : for_children_) out.calls.call(SYS_madvise, r.start, r.end - r.start, MADV_DONTNEED);
  emit_pages(subtract(subtract(subtract(pages_, kept_), early_), pushed_), out, arena);
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

void AddressSpace::emit_pkeys(Program& p) const {
  std::vector<bool> used(kPkeys + 1);
  unsigned last = 0;
  for (const Vma& v : vmas_)
    if (v.ext && v.ext->pkey() && v.ext->pkey() <= kPkeys)
      used[last = std::max(last, v.ext->pkey())] = used[v.ext->pkey()] = true;
  if (!last) return;
  if (base_)
    for (unsigned k = 1; k <= kPkeys; k++) p.allow(SYS_pkey_free, k);
  for (unsigned k = 1; k <= last; k++) {
    p.call(SYS_pkey_alloc, 0, 0);  // the lowest free one
    p.note("allocate a protection key");
  }
  for (unsigned k = 1; k < last; k++)
    if (!used[k]) p.call(SYS_pkey_free, k);
}

void AddressSpace::emit_settle(NsPid task, int readable_fd, TaskProgram& out, Arena& arena) const {
  Program& p = out.calls;
  emit_pkeys(p);
  for (const auto& a : mm_.aios()) {
    const pb::nsr_aio_ring* content = nullptr;
    for (const auto& c : ext_.aios())
      if (c.id() == a.id()) content = &c;
    emit_aio_ring(a, content, task, readable_fd, out, arena);
  }
  for (const Vma& v : vmas_) {
    const pb::vma_entry& e = *v.entry;
    uint64_t n = length(e);
    if (e.status() & kVmaAioRing) continue;
    if (v.flagged && !(e.madv() >> MADV_DONTDUMP & 1)) p.call(SYS_madvise, e.start(), n, MADV_DODUMP);
    if (v.ext && v.ext->has_name()) {
      p.call(SYS_prctl, kPrSetVma, kPrSetVmaAnonName, e.start(), n, arena.put_string(v.ext->name()));
      p.note(range_text("name", e));
    }
    for (int advice = 0; advice < 64; advice++)
      if (e.madv() >> advice & 1) {
        p.call(SYS_madvise, e.start(), n, advice);
        p.note(format("advice %d on %llx", advice, static_cast<unsigned long long>(e.start())));
      }
    if (v.ext && v.ext->pkey())
      p.call(SYS_pkey_mprotect, e.start(), n, e.prot(), v.ext->pkey());
    else if (v.loading_prot != e.prot() || (e.status() & kVmaSysvIpc))
      p.call(SYS_mprotect, e.start(), n, e.prot());
    else
      continue;
    p.note(range_text("protect", e));
  }
  for (const auto& g : ext_.guards()) {
    p.call(SYS_madvise, g.start(), g.end() - g.start(), kMadvGuardInstall);
    p.note("install a guard region");
  }
  for (const Vma& v : vmas_) {
    const pb::vma_entry& e = *v.entry;
    // what cannot be populated (PROT_NONE) is locked all the same, but reported
    if (e.flags() & MAP_LOCKED) p.allow(SYS_mlock2, e.start(), length(e), has(v.flags, VmFlag::lf) ? kMlockOnfault : 0);
  }
  if (ext_.mlock_future()) {
    p.call(SYS_mlockall, ext_.mlock_future());
    p.note("mlockall");
  }
  for (const Vma& v : vmas_)
    if (has(v.flags, VmFlag::sl)) {
      p.call(kSysMseal, v.entry->start(), length(*v.entry), 0);
      p.note(range_text("seal", *v.entry));
    }
}

void emit_mm(const pb::mm_entry& mm, int exe_fd, Program& p, Arena& arena) {
  struct {
    uint64_t field[11];
    uint64_t auxv;
    uint32_t auxv_size;
    int32_t exe_fd;
  } map{};
  const uint64_t fields[11] = {mm.mm_start_code(), mm.mm_end_code(),  mm.mm_start_data(),  mm.mm_end_data(),
                               mm.mm_start_brk(),  mm.mm_brk(),       mm.mm_start_stack(), mm.mm_arg_start(),
                               mm.mm_arg_end(),    mm.mm_env_start(), mm.mm_env_end()};
  std::copy(std::begin(fields), std::end(fields), map.field);
  std::vector<uint64_t> auxv(mm.mm_saved_auxv().begin(), mm.mm_saved_auxv().end());
  map.auxv = arena.put(auxv.data(), auxv.size() * 8).value;
  map.auxv_size = static_cast<uint32_t>(auxv.size() * 8);
  map.exe_fd = exe_fd;
  p.call(SYS_prctl, kPrSetMm, kPrSetMmMap, arena.put(map), sizeof map, 0);
  p.note("set code, data, brk, stack and exe link");
  if (mm.thp_disabled()) p.call(SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

size_t memory_arena_size(const pb::mm_entry& mm, const pb::nsr_mm_entry& ext, size_t page_loads) {
  size_t vmas = static_cast<size_t>(mm.vmas_size()), names = 0, advice = 0;
  for (const auto& v : mm.vmas()) advice += static_cast<size_t>(__builtin_popcountll(v.madv()));
  for (const auto& x : ext.vmas()) names += x.name().size() + 16;
  size_t cuts =
      static_cast<size_t>(ext.huge_size() + ext.guards_size() + ext.shared_with_parent_size() + ext.fork_pages_size());
  size_t rings = 0;
  for (const auto& a : mm.aios()) rings += aio_arena_size(a);
  // the area costs nothing where it is not used
  size_t records = 200 + 20 * vmas + advice + 8 * (page_loads + cuts);
  return records * (sizeof(Record) + sizeof(iovec)) + names + rings + static_cast<size_t>(mm.mm_saved_auxv_size()) * 8 +
         4096;
}

}  // namespace nsr
