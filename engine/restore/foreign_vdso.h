// Images from a kernel with another vDSO: the old one stays as ordinary code whose functions jump to this kernel's.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/restore/image_set.h"

namespace nsr {

/// This kernel's vDSO and data pages as they lie in the engine.
struct HostVdso {
  struct Part {
    uint64_t start, end;
    bool code;
  };
  std::vector<Part> parts;          ///< ascending
  std::span<const std::byte> code;  ///< bytes of the part that is code
  static HostVdso of_this_process();
};

/// Compares the vDSO in a task's images with the host's. When layout or bytes differ, the task's mappings are changed:
/// the old vDSO becomes ordinary memory with patches (ImageTask::patches), its data pages become zero pages, which make
/// what is left of its code ask the kernel, and the host's vDSO gets a place of its own. Returns whether they differ.
/// read: fills in bytes of the task's memory from the images; false when they are not there.
/// Throws Error(environment) when the old vDSO cannot be made to work here.
bool adapt_vdso(ImageTask& task, const HostVdso& host,
                const std::function<bool(uint64_t at, std::span<std::byte>)>& read);

}  // namespace nsr
