// State that the kernel does not tell, or not before some version, and that calls in the task itself give away without
// changing anything.
#pragma once

#include <cstdint>

#include "engine/trace/program.h"

namespace nsr {

/// membarrier(2) registrations: told since Linux 6.3. Before that an unregistered command is known by EPERM;
/// MEMBARRIER_CMD_GLOBAL_EXPEDITED works without, so that its registration is not seen.
class MembarrierReader {
 public:
  void add(Program& program);
  /// Bits of the MEMBARRIER_CMD_REGISTER_* commands.
  uint32_t mask(const Program& program) const;

 private:
  Program::Index first_{};
};

/// Protection keys that the process holds, pkey_alloc(2). Nothing is added where the CPU has none.
class ProtectionKeyReader {
 public:
  static constexpr unsigned kKeys = 15;  ///< 1..15; key 0 is everybody's
  void add(Program& program);
  /// Bit n: key n is allocated.
  uint32_t allocated(const Program& program) const;

 private:
  Program::Index first_{};
  bool asked_ = false;
};

}  // namespace nsr
