// Settings of a network namespace below /proc/sys/net.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nsr-net.pb.h"

namespace nsr {

/// Reads all that the calling thread's namespace has and that can be written.
void collect_net_sysctls(pb::nsr_net_entry& out);

/// Writes those that have other values in the calling thread's namespace. with_devices: the devices are there, so each
/// setting must be; before, the settings of devices are left for later. weak: what is missing or refused is only told.
/// Throws Error(environment).
void fill_net_sysctls(const pb::nsr_net_entry& entry, bool with_devices, bool weak);

/// While this lives, IPv6 addresses given to devices are not probed for duplicates and so are usable at once: the tree
/// had them. For the devices that the calling thread's namespace has now.
class NoDuplicateDetection {
 public:
  NoDuplicateDetection();
  NoDuplicateDetection(const NoDuplicateDetection&) = delete;
  ~NoDuplicateDetection();

 private:
  std::vector<std::pair<std::string, std::string>> before_;  ///< path and value
};

}  // namespace nsr
