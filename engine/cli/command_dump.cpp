#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/descriptors/kind.h"
#include "engine/dump/dump.h"

namespace nsr {
namespace {
const Logger log("dump");
}

int command_dump(const Options& options) {
  try {
    run_dump(dump_options(options), make_kinds());
  } catch (...) {
    log.error("Dumping FAILED.");
    throw;
  }
  log.info("Dumping finished successfully");
  return 0;
}

}  // namespace nsr
