#include "engine/memory/vma_restore.h"

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>

#include "arch/arch.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/memory/vma.h"

namespace nsr {
namespace {

constexpr size_t kMaxIov = 1024;
constexpr uint64_t kMaxRead = 1ull << 30;
constexpr int kPrSetMm = 35, kPrSetMmMap = 14;

bool is_vdso(const pb::vma_entry& v) { return v.status() & (kVmaVdso | kVmaVvar); }
bool is_mapped(const pb::vma_entry& v) { return (v.status() & kVmaRegular) && !is_vdso(v); }

struct Span {
  uint64_t start = ~0ull, end = 0;
  void add(uint64_t s, uint64_t e) {
    start = std::min(start, s);
    end = std::max(end, e);
  }
};

Span vdso_span(const pb::mm_entry& mm) {
  Span s;
  for (const auto& v : mm.vmas())
    if (is_vdso(v)) s.add(v.start(), v.end());
  return s;
}

/// Some free place for n bytes in neither list.
uint64_t free_place(const pb::mm_entry& mm, const std::vector<procfs::MapsEntry>& own, uint64_t n) {
  uint64_t at = 0x10000;
  for (bool moved = true; moved;) {
    moved = false;
    auto dodge = [&](uint64_t s, uint64_t e) {
      if (at < e && s < at + n) {
        at = e;
        moved = true;
      }
    };
    for (const auto& v : mm.vmas()) dodge(v.start(), v.end());
    for (const auto& m : own) dodge(m.start, m.end);
  }
  return at;
}

void move(Program& p, uint64_t from, uint64_t n, uint64_t to) {
  p.call(SYS_mremap, from, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  p.note(format("move the vDSO to %llx", static_cast<unsigned long long>(to)));
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

void emit_vdso(const pb::mm_entry& mm, Program& p) {
  std::vector<procfs::MapsEntry> own = own_vdso();
  Span from, to = vdso_span(mm);
  for (const auto& m : own) from.add(m.start, m.end);
  if (to.end == 0) {
    for (const auto& m : own) p.call(SYS_munmap, m.start, m.length());
    return;
  }
  if (from.end - from.start != to.end - to.start)
    throw Error(Failure::environment, "vDSO", "the images come from a kernel whose vDSO has another layout",
                "restore on the kernel they were dumped on");
  if (from.start == to.start) return;
  bool overlap = from.start < to.end && to.start < from.end;
  uint64_t base = from.start;
  if (overlap) {
    uint64_t between = free_place(mm, own, from.end - from.start);
    for (const auto& m : own) move(p, m.start, m.length(), between + (m.start - from.start));
    base = between;
  }
  for (const auto& m : own) move(p, base + (m.start - from.start), m.length(), to.start + (m.start - from.start));
}

void emit_vmas(const pb::mm_entry& mm, const std::vector<PageLoad>& pages, int pages_fd,
               const std::function<int(uint32_t)>& fd_of, TaskProgram& out, Arena& arena) {
  Program& p = out.calls;
  std::vector<bool> filled(static_cast<size_t>(mm.vmas_size()));
  size_t k = 0;
  for (int i = 0; i < mm.vmas_size(); i++) {
    const auto& v = mm.vmas(i);
    while (k < pages.size() && pages[k].vaddr + pages[k].bytes <= v.start()) k++;
    filled[static_cast<size_t>(i)] = k < pages.size() && pages[k].vaddr < v.end();
  }
  for (int i = 0; i < mm.vmas_size(); i++) {
    const pb::vma_entry& v = mm.vmas(i);
    if (!is_mapped(v)) continue;
    uint32_t flags = (v.flags() & ~static_cast<uint32_t>(MAP_LOCKED)) | MAP_FIXED_NOREPLACE;
    bool has_file = !(v.flags() & MAP_ANONYMOUS);
    uint32_t prot = v.prot() | (filled[static_cast<size_t>(i)] ? PROT_WRITE : 0);
    p.call(SYS_mmap, v.start(), v.end() - v.start(), prot, flags,
           has_file ? fd_of(static_cast<uint32_t>(v.shmid())) : -1, has_file ? v.pgoff() : 0);
    p.note(
        format("map %llx-%llx", static_cast<unsigned long long>(v.start()), static_cast<unsigned long long>(v.end())));
    for (int advice = 0; advice < 64; advice++)
      if (v.madv() >> advice & 1) p.call(SYS_madvise, v.start(), v.end() - v.start(), advice);
  }
  for (size_t first = 0; first < pages.size();) {
    std::vector<iovec> iov;
    uint64_t bytes = 0;
    size_t next = first;
    // one call reads what is contiguous in the image
    while (next < pages.size() && iov.size() < kMaxIov && bytes < kMaxRead &&
           pages[next].file_offset == pages[first].file_offset + bytes) {
      const PageLoad& l = pages[next++];
      iov.push_back({reinterpret_cast<void*>(l.vaddr), l.bytes});
      bytes += l.bytes;
    }
    auto at = p.call(SYS_preadv, pages_fd, arena.put(iov.data(), iov.size() * sizeof(iovec)), iov.size(),
                     pages[first].file_offset, 0);
    p.note("read its pages");
    out.expect(at, static_cast<int64_t>(bytes));
    first = next;
  }
  for (int i = 0; i < mm.vmas_size(); i++) {
    const pb::vma_entry& v = mm.vmas(i);
    if (!is_mapped(v)) continue;
    if (filled[static_cast<size_t>(i)] && !(v.prot() & PROT_WRITE))
      p.call(SYS_mprotect, v.start(), v.end() - v.start(), v.prot());
    if (v.flags() & MAP_LOCKED) p.call(SYS_mlock, v.start(), v.end() - v.start());
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

size_t memory_arena_size(const pb::mm_entry& mm, size_t page_loads) {
  size_t records = 16;
  for (const auto& v : mm.vmas()) records += 3 + static_cast<size_t>(__builtin_popcountll(v.madv()));
  records += page_loads / kMaxIov + 2 + page_loads;
  return records * sizeof(Record) + page_loads * sizeof(iovec) + static_cast<size_t>(mm.mm_saved_auxv_size()) * 8 +
         4096;
}

}  // namespace nsr
