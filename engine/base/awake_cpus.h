// CPUs that do not sleep in the moments when they have nothing to do.
#pragma once

#include "engine/base/unique_fd.h"

namespace nsr {

/// Asks the kernel to keep CPUs awake until this object goes or the process ends (/dev/cpu_dma_latency, PM quality of
/// service). A dump and a restore are made of turns between processes: where a sleeping CPU has to be woken for each,
/// as in a virtual machine, a turn takes ten times as long. Without the device or the right to it nothing is different.
class AwakeCpus {
 public:
  AwakeCpus();

 private:
  UniqueFd request_;
};

}  // namespace nsr
