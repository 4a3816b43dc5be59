#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/descriptors/kind.h"
#include "engine/restore/restore.h"

namespace nsr {
namespace {
const Logger log("restore");
}

// "Restore finished successfully. Tasks resumed." is logged by run_restore: in the foreground it returns much later.
int command_restore(const Options& options) {
  try {
    return run_restore(restore_options(options), make_kinds());
  } catch (...) {
    log.error("Restoring FAILED.");
    throw;
  }
}

}  // namespace nsr
