// Mappings of files for which the kernel alone chooses the place: an io_uring is mapped without an address, and cannot
// be moved (mremap(2) asks the file, too).
#pragma once

#include <vector>

#include "engine/memory/page_range.h"
#include "engine/trace/task_program.h"

namespace nsr {

struct PlacedMapping {
  PageRange at;
  uint32_t prot, flags;
  int fd;
  uint64_t offset;
};

/// Fills the whole address space but what is taken (ascending), so that there is one free place for each mapping, the
/// right one; then frees the rest again. The program fails when the kernel chooses another one all the same.
void emit_placed(const std::vector<PlacedMapping>& mappings, const PageRanges& taken, TaskProgram& out);

}  // namespace nsr
