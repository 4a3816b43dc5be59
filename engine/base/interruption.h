// Signals that ask the engine to end are held back while a tree is frozen, and looked at where the work can be undone.
#pragma once

#include <signal.h>

namespace nsr {

/// Blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT for its lifetime. What came meanwhile takes effect when it goes: after
/// everything was undone (or done).
class HeldInterruption {
 public:
  HeldInterruption();
  ~HeldInterruption();
  HeldInterruption(const HeldInterruption&) = delete;
  HeldInterruption& operator=(const HeldInterruption&) = delete;

 private:
  sigset_t before_;
};

/// Throws Error(target) when one of them waits to be delivered.
void check_interruption();

}  // namespace nsr
