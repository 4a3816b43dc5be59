// What a dump is asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/ids.h"
#include "engine/base/run_options.h"
#include "engine/descriptors/options.h"

namespace nsr {

/// What becomes of the tasks after a successful dump.
enum class FinalState { kill, run, stop };

/// files.shell_job, files.external and their kin hold everything that open files and sockets need.
struct DumpOptions : RunOptions {
  HostPid root_pid;                           ///< -t: the root task as the caller's /proc shows it; never 0
  FinalState final_state = FinalState::kill;  ///< -R run, -s stop
  uint32_t timeout_seconds = 10;              ///< limit for freezing the tree; 0 = none
  FileOptions files;
  bool track_mem = false;
  std::string prev_images_dir;  ///< relative to images_dir; empty = full dump
  NetworkLock network_lock = NetworkLock::nftables;
};

}  // namespace nsr
