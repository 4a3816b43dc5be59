#include "engine/restore/shared_area.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "arch/arch.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/memory/own_vdso.h"
#include "engine/procfs/maps.h"

extern "C" const ptrdiff_t nsr_rseq_offset asm("__rseq_offset");

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kTaskSize = 0x7ffffffff000;
constexpr uint64_t kRseqSignature = 0x53053053;

}  // namespace

SharedArea::SharedArea(const ImageSet& set, size_t n) : size_((n + 2 * kPage) & ~(kPage - 1)) {
  uint64_t at = 0;
  void* p = MAP_FAILED;
  // The engine's own memory may grow into the place that was free while this looks for it.
  for (int attempt = 0; attempt < 8 && p == MAP_FAILED && (attempt == 0 || errno == EEXIST); attempt++) {
    std::vector<std::pair<uint64_t, uint64_t>> taken;
    for (const auto& t : set.tasks)
      for (const auto& v : t.mm.vmas()) taken.push_back({v.start(), v.end()});
    taken.reserve(taken.size() + 4096);
    for (const auto& m : procfs::parse_maps(read_file("/proc/self/maps").value_or("")))
      taken.push_back({m.start, m.end});
    std::sort(taken.begin(), taken.end());
    at = 0x100000;
    // a guard distance keeps growing stacks of the tasks away
    constexpr uint64_t kDistance = 0x100000;
    for (auto [start, end] : taken) {
      if (start >= at + size_ + kDistance) break;
      at = std::max(at, end + kDistance);
    }
    if (at + size_ > kTaskSize) throw Error(Failure::environment, "restore", "no address range is free in all tasks");
    p = ::mmap(reinterpret_cast<void*>(at), size_, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  }
  if (p == MAP_FAILED) throw_errno(Failure::environment, "restore", "mapping the program area failed", errno);
  start_ = RemoteAddr(at);
  auto code = arch::stub();
  std::memcpy(p, code.data(), code.size());
  auto expand = arch::expansion_code();
  std::memcpy(static_cast<std::byte*>(p) + kCodeDistance, expand.data(), expand.size());
  ::mprotect(p, kPage, PROT_READ | PROT_EXEC);
  arena_ = Arena(static_cast<std::byte*>(p) + kPage, RemoteAddr(at + kPage), size_ - kPage);
}

SharedArea::~SharedArea() { ::munmap(stub_page(), size_); }

Program root_prelude(SharedArea& area, RemoteAddr gate, bool our_child) {
  Program p;
  // Untraced, it does not die with the engine by itself. Where the engine is not the parent, patience ends.
  if (our_child) p.call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  struct {
    int64_t sec, nsec;
  } patience{30, 0};
  RemoteAddr limit = area.arena().put(patience);
  // The C library's rseq area and robust list lie in memory that goes away: the kernel must forget them first.
  auto* rseq = static_cast<char*>(__builtin_thread_pointer()) + nsr_rseq_offset;
  p.allow(SYS_rseq, rseq, 32, 1, kRseqSignature);
  p.call(SYS_set_robust_list, 0, 24);
  p.allow(SYS_futex, gate, FUTEX_WAIT, 0, limit, 0, 0);
  // fails when the gate is still closed: then the program ends in a trap that nobody waits for
  p.call(SYS_futex, gate, FUTEX_CMP_REQUEUE, 0, 0, gate, 1);
  if (our_child) p.call(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
  uint64_t vdso_start = kTaskSize, vdso_end = kTaskSize;
  auto vdso = own_vdso();
  if (!vdso.empty()) {
    vdso_start = vdso.front().start;
    vdso_end = vdso.back().end;
  }
  uint64_t area_start = area.start().value, area_end = area_start + area.size();
  p.call(SYS_munmap, kPage, area_start - kPage);
  p.call(SYS_munmap, area_end, vdso_start - area_end);
  if (vdso_end < kTaskSize) p.call(SYS_munmap, vdso_end, kTaskSize - vdso_end);
  return p;
}

}  // namespace nsr
