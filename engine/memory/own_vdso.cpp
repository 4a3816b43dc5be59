#include "engine/memory/own_vdso.h"

#include <optional>

#include "arch/arch.h"
#include "engine/base/file_io.h"
#include "engine/memory/vma_status.h"

namespace nsr {

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

}  // namespace nsr
