// Start of the new namespaces and of their init.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>

#include "engine/base/unique_fd.h"
#include "ns-launcher/options.h"
#include "pidns/image_ids.h"

namespace nsr::launcher {

/// A started restore, as the launcher holds it.
struct Started {
  pid_t init = 0;          ///< our child
  int give_up_signal = 0;  ///< sent to init, it ends and takes all that was restored with it
  UniqueFd status;         ///< reports of init come here
  UniqueFd engine;         ///< one byte written here tells the engine that the tree may run
  UniqueFd terminal;       ///< the master of a terminal to be relayed comes here before the root is named
};

/// Where the engine is: `wanted` (a path, or a name to be found by PATH), else beside this program, else by PATH.
/// Throws Error(environment).
std::string find_engine(const std::string& wanted);

/// What the engine is called with; channel < 0: it works alone, terminal < 0: nobody relays.
std::vector<std::string> engine_command(const Options& options, const ImageIds& ids, int channel, int terminal);

/// clone3(CLONE_NEWPID | CLONE_NEWNS). All signals must be blocked; engine_mask is what the engine gets instead. When
/// the images bring their own init only a mount namespace is made. Throws Error(environment).
Started launch(const Options& options, const ImageIds& ids, const sigset_t& engine_mask);

}  // namespace nsr::launcher
