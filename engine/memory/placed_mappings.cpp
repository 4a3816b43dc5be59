#include "engine/memory/placed_mappings.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr uint64_t kFirst = 0x1000, kUsual = 0x10000;  // below vm.mmap_min_addr nobody maps without CAP_SYS_RAWIO
constexpr uint64_t kTaskSize = 0x7ffffffff000;

void emit_block(const PageRange& r, TaskProgram& out) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  uint64_t n = r.end - r.start;
  if (r.end <= kUsual)
    out.calls.allow(SYS_mmap, r.start, n, PROT_NONE, kFlags, -1, 0);
  else
    out.calls.call(SYS_mmap, r.start, n, PROT_NONE, kFlags, -1, 0);
  out.calls.note("block an address range");
}

}  // namespace

void emit_placed(const std::vector<PlacedMapping>& mappings, const PageRanges& taken, TaskProgram& out) {
  if (mappings.empty()) return;
  PageRanges blocked = subtract({{kFirst, kUsual}, {kUsual, kTaskSize}}, taken), rest = blocked;
  for (const PageRange& r : blocked) emit_block(r, out);
  for (const PlacedMapping& m : mappings) {
    out.calls.call(SYS_munmap, m.at.start, m.at.end - m.at.start);
    auto mapped = out.calls.call(SYS_mmap, 0, m.at.end - m.at.start, m.prot, m.flags, m.fd, m.offset);
    out.calls.note(format("map a ring at %llx", static_cast<unsigned long long>(m.at.start)));
    out.expect(mapped, static_cast<int64_t>(m.at.start));
    rest = subtract(rest, {m.at});
  }
  for (const PageRange& r : rest) {
    out.calls.allow(SYS_munmap, r.start, r.end - r.start);
    out.calls.note("free a blocked address range");
  }
}

}  // namespace nsr
