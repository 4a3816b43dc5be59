// nsr-cpu and cpuinfo.img: the CPU that the tree has run on.
#pragma once

#include <future>
#include <vector>

#include "engine/dump/live_task.h"
#include "engine/images/image_dir.h"
#include "nsr-cpu.pb.h"

namespace nsr {

class CpuFacts {
 public:
  /// Asks the CPU in a thread of its own: under a hypervisor each question takes tens of microseconds.
  void start();
  /// Waits for the answers. with_cpuinfo: also cpuinfo.img (--cpu-cap). Once after each start().
  void write(ImageDir& images, const std::vector<LiveTask>& tasks, bool with_cpuinfo);

 private:
  std::future<pb::nsr_cpu_entry> answers_;
};

}  // namespace nsr
