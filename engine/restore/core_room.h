// Where tasks dump core that are to become zombies again of which wait(2) says that they did.
#pragma once

#include "engine/base/unique_fd.h"

namespace nsr {

/// A file system in memory that is mounted nowhere and goes with its last user, with the directories that
/// kernel.core_pattern needs (core(5)). Empty where a core would not go into a file: to a program or a socket.
UniqueFd make_core_room();

}  // namespace nsr
