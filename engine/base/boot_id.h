// Which boot of this machine we are in.
#pragma once

#include <string>

namespace nsr {

/// /proc/sys/kernel/random/boot_id: another one after each boot. Empty where it cannot be read.
std::string boot_id();

}  // namespace nsr
