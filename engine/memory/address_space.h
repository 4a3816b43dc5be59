// The address space of a task: messages to syscalls.
#pragma once

#include <functional>
#include <vector>

#include "engine/memory/page_range.h"
#include "engine/memory/vma_status.h"
#include "engine/procfs/smaps.h"
#include "engine/trace/task_program.h"
#include "mm.pb.h"
#include "nsr-mm.pb.h"

namespace nsr {

/// One read from a pages image into memory.
struct PageLoad {
  uint64_t vaddr, bytes, file_offset;
  int fd;  ///< the engine's descriptor of the pages image
};

/// How the address space of one task is made. Where tasks have pages in common, the one that makes the others maps
/// first and has those pages when it forks; what follows in the child makes the difference.
///
/// Order of a task's program: emit_map, then for each child emit_pages and emit_foreign of what it is to be born with,
/// emit_late, emit_settle. A task whose children are born with nothing forks them first, while it has no memory of its
/// own.
class AddressSpace {
 public:
  /// pages: ascending, inside mappings; those of the vDSO are left out by this class.
  AddressSpace(const pb::mm_entry& mm, const pb::nsr_mm_entry& ext, const std::vector<PageLoad>& pages);

  /// Ranges of mappings that a child of `base` can have from birth.
  PageRanges heritable(const AddressSpace& base) const;
  /// Where pages of others can be loaded.
  PageRanges writable() const;

  /// The task is born with all of `base` after its emit_map, in which these pages are `there`. It keeps those of born.
  void be_born_from(const AddressSpace& base, const PageRanges& there, const PageRanges& born);
  /// When its children are made: which of its pages are there, and which are there that are not its own.
  void after_children(const PageRanges& complete, const PageRanges& stale);

  /// Leaves to engine/memory/page_push.h what the engine's threads do faster, where it is much: then the task waits
  /// for them between emit_late and emit_settle.
  /// copies: whether UFFDIO_COPY is to be had.
  void choose_pushed(bool copies);
  bool is_pushed() const { return !copied_.empty() || !written_.empty() || !forced_.empty(); }
  /// Small pages of anonymous memory, for UFFDIO_COPY, and the mappings around them.
  std::vector<PageLoad> copied_loads() const { return cut_loads(copied_); }
  PageRanges copied_mappings() const;
  /// Huge pages and own pages of private files, for process_vm_writev(2).
  std::vector<PageLoad> written_loads() const { return cut_loads(written_); }
  /// Pages of memory that was never writable: a debugger changed them.
  std::vector<PageLoad> forced_loads() const { return cut_loads(forced_); }

  /// fd_of: the engine's descriptor of a file id as the task inherits it.
  /// area: where the programs lie. Throws Error(environment) when the vDSO in the image is of another layout than the
  /// kernel's.
  void emit_map(const std::function<int(uint32_t)>& fd_of, PageRange area, TaskProgram& out) const;
  /// Loads pages of its own.
  void emit_pages(const PageRanges& which, TaskProgram& out, Arena& arena) const;
  /// Loads these pages out of the image of another task, for children.
  void emit_foreign(const AddressSpace& source, const PageRanges& which, TaskProgram& out, Arena& arena) const;
  void emit_late(TaskProgram& out, Arena& arena) const;
  /// Protections, advice, names, keys, guards, locks, AIO rings, seals.
  /// readable_fd: a regular file with content, as the task inherits it.
  void emit_settle(NsPid task, int readable_fd, TaskProgram& out, Arena& arena) const;

  const PageRanges& pages() const { return pages_; }
  const pb::mm_entry& mm() const { return mm_; }

 private:
  struct Vma {
    const pb::vma_entry* entry;
    uint64_t flags = 0;  ///< VmFlag bits; 0 = unknown
    const pb::nsr_vma_entry* ext = nullptr;
    uint32_t loading_prot = 0;  ///< protection while pages are loaded
    bool forced = false;        ///< has pages, yet was never writable
    bool inherited = false;     ///< there from birth
    bool flagged = false;       ///< MADV_DONTDUMP is set meanwhile, which its neighbour has not
    bool touched = false;       ///< had memory, has no pages now
    bool apart = false;         ///< like its neighbour before it, yet not one mapping with it
    bool has(procfs::VmFlag f) const { return flags & static_cast<uint64_t>(f); }
    PageRange range() const { return range_of(*entry); }
    uint64_t length() const { return length_of(*entry); }
  };
  void add_vma(const pb::vma_entry& v, const pb::nsr_vma_entry* ext, bool filled);
  static bool is_ring(const Vma& v);
  bool mergeable(const Vma& a, const Vma& b) const;
  bool inheritable(const Vma& v, const AddressSpace& base) const;
  /// The mapping with all of a range; null when there is none.
  const Vma* vma_around(PageRange r) const;
  void emit_mappings(const std::function<int(uint32_t)>& fd_of, Program& p) const;
  static bool continues(const Vma& before, const Vma& v);
  void emit_mmap(const Vma& v, uint64_t length, const std::function<int(uint32_t)>& fd_of, Program& p) const;
  void emit_apart(const Vma& v, Program& p) const;
  void emit_rings(const std::function<int(uint32_t)>& fd_of, PageRange area, TaskProgram& out) const;
  void emit_sysv(Program& p) const;
  void emit_vdso(Program& p) const;
  void emit_inherited(Program& p) const;
  void emit_attachment(const pb::vma_entry& first, uint64_t segment, Program& p) const;
  void emit_huge(const PageRanges& ranges, Program& p) const;
  std::vector<PageLoad> cut_loads(const PageRanges& which) const;
  void load(const PageRanges& which, TaskProgram& out, Arena& arena) const;
  void emit_pkeys(Program& p) const;
  void emit_aio_rings(NsPid task, int readable_fd, TaskProgram& out, Arena& arena) const;
  void emit_marks(const Vma& v, Program& p, Arena& arena) const;
  void emit_guards(Program& p) const;
  void emit_locks(Program& p) const;

  const pb::mm_entry& mm_;
  const pb::nsr_mm_entry& ext_;
  std::vector<PageLoad> loads_;
  std::vector<Vma> vmas_;
  PageRanges pages_, huge_;               ///< pages of its own; which of these are in transparent huge pages
  PageRanges there_, born_;               ///< what its maker has when it is born; what stays of that
  PageRanges complete_, stale_;           ///< see after_children
  PageRanges copied_, written_, forced_;  ///< pages that the engine puts there
  const AddressSpace* base_ = nullptr;
};

/// PR_SET_MM_MAP: code, data, brk, stack, arguments, environment, auxv, exe link.
void emit_mm(const pb::mm_entry& mm, int exe_fd, Program& program, Arena& arena);
/// Bytes of arena that a task's memory needs at most, or that is needed to get rid of it in a task born with it.
size_t memory_arena_size(const pb::mm_entry& mm, const pb::nsr_mm_entry& ext, size_t page_loads);

}  // namespace nsr
