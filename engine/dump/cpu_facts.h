// nsr-cpu and cpuinfo.img: the CPU that the tree has run on.
#pragma once

#include <vector>

#include "engine/dump/live_task.h"
#include "engine/images/image_dir.h"
#include "nsr-cpu.pb.h"

namespace nsr {

class CpuFacts {
 public:
  /// Asks the CPU. Best before the tree stands still: under a hypervisor each question takes tens of microseconds.
  void ask();
  /// After ask(). with_cpuinfo: also cpuinfo.img (--cpu-cap).
  void write(ImageDir& images, const std::vector<LiveTask>& tasks, bool with_cpuinfo) const;

 private:
  pb::nsr_cpu_entry answers_;
};

}  // namespace nsr
