// What the engine does in the foreground when the tree runs: it stays as the parent.
#pragma once

#include "engine/base/unique_fd.h"

namespace nsr {

/// Returns when all children have ended. relayed: master of a terminal of the tree that is the caller's meanwhile, or
/// empty. A signal that ends the engine gives the caller's terminal its modes back first.
/// Throws Error(environment) when there is no terminal to relay to.
void wait_for_children(UniqueFd relayed);

}  // namespace nsr
