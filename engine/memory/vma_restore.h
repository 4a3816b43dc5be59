// VMAs: message to syscalls.
#pragma once

#include <functional>
#include <vector>

#include "engine/procfs/maps.h"
#include "engine/trace/task_program.h"
#include "mm.pb.h"

namespace nsr {

/// One read from a pages image into memory.
struct PageLoad {
  uint64_t vaddr, bytes, file_offset;
};

/// The vDSO and its data pages as they lie in the engine, whose clones start with them there.
const std::vector<procfs::MapsEntry>& own_vdso();
/// Address of a `syscall` instruction in the vDSO of a task restored from mm (same kernel). 0 when it has none.
RemoteAddr syscall_insn_of(const pb::mm_entry& mm);

/// Moves vDSO and data pages from where the engine has them to where mm wants them, or unmaps them when mm has none.
/// Throws Error(environment) when the image's vDSO is of another layout.
void emit_vdso(const pb::mm_entry& mm, Program& program);
/// Maps every VMA and reads its pages. fd_of: the engine's descriptor of a file id as the task inherits it.
/// The address space must be free where mm wants something.
void emit_vmas(const pb::mm_entry& mm, const std::vector<PageLoad>& pages, int pages_fd,
               const std::function<int(uint32_t)>& fd_of, TaskProgram& out, Arena& arena);
/// PR_SET_MM_MAP: code, data, brk, stack, arguments, environment, auxv, exe link.
void emit_mm(const pb::mm_entry& mm, int exe_fd, Program& program, Arena& arena);
/// Bytes of arena that the above need.
size_t memory_arena_size(const pb::mm_entry& mm, size_t page_loads);

}  // namespace nsr
