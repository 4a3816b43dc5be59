#include <linux/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <bit>

#include "engine/base/error.h"
#include "engine/memory/address_space.h"
#include "engine/memory/aio_ring.h"

namespace nsr {
namespace {

using procfs::VmFlag;

constexpr int kPrSetMm = 35, kPrSetMmMap = 14;
constexpr int kPrSetVma = 0x53564d41, kPrSetVmaAnonName = 0;
constexpr uint64_t kPage = 4096;
constexpr int kMadvGuardInstall = 102, kMadvGuardRemove = 103;  // 6.13
constexpr long kSysMseal = 462;                                 // 6.10
constexpr unsigned kPkeys = 15;

std::string range_text(const char* verb, const pb::vma_entry& v) {
  return format("%s %llx-%llx", verb, static_cast<unsigned long long>(v.start()),
                static_cast<unsigned long long>(v.end()));
}

}  // namespace

void AddressSpace::emit_pkeys(Program& p) const {
  uint32_t used = ext_.protection_keys() & ((2u << kPkeys) - 2);
  for (const Vma& v : vmas_)
    if (v.ext && v.ext->pkey() && v.ext->pkey() <= kPkeys) used |= 1u << v.ext->pkey();
  if (!used) return;
  const unsigned last = static_cast<unsigned>(std::bit_width(used)) - 1;
  if (base_)
    for (unsigned k = 1; k <= kPkeys; k++) p.allow(SYS_pkey_free, k);
  for (unsigned k = 1; k <= last; k++) {
    p.call(SYS_pkey_alloc, 0, 0);  // the lowest free one
    p.note("allocate a protection key");
  }
  for (unsigned k = 1; k < last; k++)
    if (!(used >> k & 1)) p.call(SYS_pkey_free, k);
}

void AddressSpace::emit_aio_rings(NsPid task, int readable_fd, TaskProgram& out, Arena& arena) const {
  for (const auto& a : mm_.aios()) {
    const pb::nsr_aio_ring* content = nullptr;
    for (const auto& c : ext_.aios())
      if (c.id() == a.id()) content = &c;
    emit_aio_ring(a, content, task, readable_fd, out, arena);
  }
}

/// Name, advice, protection and key of one mapping.
void AddressSpace::emit_marks(const Vma& v, Program& p, Arena& arena) const {
  const pb::vma_entry& e = *v.entry;
  uint64_t n = v.length();
  if (v.flagged && !is_advised(e, MADV_DONTDUMP)) p.call(SYS_madvise, e.start(), n, MADV_DODUMP);
  if (v.ext && v.ext->has_name()) {
    p.call(SYS_prctl, kPrSetVma, kPrSetVmaAnonName, e.start(), n, arena.put_string(v.ext->name()));
    p.note(range_text("name", e));
  }
  for (int advice = 0; advice < 64; advice++)
    if (is_advised(e, advice)) {
      p.call(SYS_madvise, e.start(), n, advice);
      p.note(format("advice %d on %llx", advice, static_cast<unsigned long long>(e.start())));
    }
  if (v.ext && v.ext->pkey())
    p.call(SYS_pkey_mprotect, e.start(), n, e.prot(), v.ext->pkey());
  else if (v.loading_prot != e.prot() || (e.status() & kVmaSysvIpc))
    p.call(SYS_mprotect, e.start(), n, e.prot());
  else
    return;
  p.note(range_text("protect", e));
}

/// A mapping remembers that it had a guard once (6.18); installing one takes the page away that is there.
void AddressSpace::emit_guards(Program& p) const {
  PageRanges guards;
  for (const auto& g : ext_.guards()) {
    p.call(SYS_madvise, g.start(), g.end() - g.start(), kMadvGuardInstall);
    p.note("install a guard region");
    add_range(guards, {g.start(), g.end()});
  }
  for (const Vma& v : vmas_) {
    if (!v.has(VmFlag::gu) || !intersect(guards, {v.range()}).empty()) continue;
    PageRanges absent = subtract({v.range()}, pages_);
    if (absent.empty()) continue;
    p.allow(SYS_madvise, absent[0].start, kPage, kMadvGuardInstall);
    p.allow(SYS_madvise, absent[0].start, kPage, kMadvGuardRemove);
  }
}

void AddressSpace::emit_locks(Program& p) const {
  for (const Vma& v : vmas_)
    // what cannot be populated (PROT_NONE) is locked all the same, but reported
    if (v.entry->flags() & MAP_LOCKED)
      p.allow(SYS_mlock2, v.entry->start(), v.length(), v.has(VmFlag::lf) ? MLOCK_ONFAULT : 0);
  if (ext_.mlock_future()) {
    p.call(SYS_mlockall, ext_.mlock_future());
    p.note("mlockall");
  }
}

void AddressSpace::emit_settle(NsPid task, int readable_fd, TaskProgram& out, Arena& arena) const {
  Program& p = out.calls;
  emit_pkeys(p);
  emit_aio_rings(task, readable_fd, out, arena);
  for (const Vma& v : vmas_)
    if (!(v.entry->status() & kVmaAioRing)) emit_marks(v, p, arena);
  emit_guards(p);
  emit_locks(p);
  for (const Vma& v : vmas_)
    if (v.has(VmFlag::sl)) {
      p.call(kSysMseal, v.entry->start(), v.length(), 0);
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
  size_t cuts = static_cast<size_t>(ext.huge_size() + ext.guards_size() + ext.common_size());
  size_t rings = 0;
  for (const auto& a : mm.aios()) rings += aio_arena_size(a);
  // the area costs nothing where it is not used
  size_t records = 200 + 20 * vmas + advice + 8 * (page_loads + cuts);
  return records * (sizeof(Record) + sizeof(iovec)) + names + rings + static_cast<size_t>(mm.mm_saved_auxv_size()) * 8 +
         4096;
}

}  // namespace nsr
