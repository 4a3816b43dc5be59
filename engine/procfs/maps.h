// /proc/PID/maps (proc_pid_maps(5)).
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nsr::procfs {

/// One VMA. [start, end) and offset are bytes; prot holds PROT_READ, PROT_WRITE and PROT_EXEC.
struct MapsEntry {
  uint64_t start = 0, end = 0;
  int prot = 0;
  bool shared = false;
  uint64_t offset = 0;
  uint32_t dev_major = 0, dev_minor = 0;
  uint64_t inode = 0;
  /// Path or bracketed name, empty for plain anonymous memory. "\012" is turned back into a newline, which is exact
  /// unless a file's own name holds that text; the link map_files/START-END is always exact. A removed file ends in "
  /// (deleted)".
  std::string name;

  uint64_t length() const { return end - start; }
  bool operator==(const MapsEntry&) const = default;
};

/// What the name of a VMA says it is. New kernels add bracketed names: those are `special`, never an error.
enum class VmaNaming {
  none,        ///< anonymous, no name
  path,        ///< "/..." (also "(deleted)") or a name outside any mount
  heap,        ///< [heap]
  stack,       ///< [stack]; [stack:TID] before 4.5
  vdso,        ///< [vdso]
  vvar,        ///< [vvar], [vvar_vclock] (6.13)
  vsyscall,    ///< [vsyscall]: not a VMA of the task
  anon,        ///< [anon:NAME], private anonymous memory named by PR_SET_VMA_ANON_NAME
  anon_shmem,  ///< [anon_shmem:NAME], shared anonymous memory so named
  sysv_shm,    ///< /SYSV<key> (deleted)
  memfd,       ///< /memfd:NAME (deleted); also hugetlb's /anon_hugepage (deleted) is `path`
  dev_zero,    ///< /dev/zero (deleted): shared anonymous memory without a name
  anon_inode,  ///< anon_inode:[...] or anon_inode:...
  special,     ///< any other bracketed name: [uprobes], [mqueue] ...
};
VmaNaming naming(const MapsEntry& vma);
/// NAME of [anon:NAME] or [anon_shmem:NAME] or /memfd:NAME (deleted); else empty.
std::string_view given_name(const MapsEntry& vma);

/// Parses one line without its newline. Throws Error(environment).
MapsEntry parse_maps_line(std::string_view line);
/// Parses the whole file; ascending and disjoint as the kernel prints it, otherwise Error(environment).
std::vector<MapsEntry> parse_maps(std::string_view text);

}  // namespace nsr::procfs
