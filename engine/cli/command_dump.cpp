#include "engine/base/log.h"
#include "engine/base/stand_in.h"
#include "engine/cli/commands.h"
#include "engine/descriptors/kind.h"
#include "engine/dump/dump.h"
#include "engine/dump/target.h"

namespace nsr {
namespace {
const Logger log("dump");
}  // namespace

std::optional<int> stand_in_for(const DumpOptions& dump) {
  const pid_t root = dump.root_pid.value;
  await_stand_in_of(root, dump.timeout_seconds ? static_cast<int>(dump.timeout_seconds) * 1000 : -1);
  return needs_stand_in(dump.root_pid) ? leave_to_stand_in() : std::nullopt;
}

int command_dump(const Options& options) {
  try {
    const DumpOptions dump = dump_options(options);
    if (auto status = stand_in_for(dump)) return *status;
    run_dump(dump, make_kinds());
  } catch (...) {
    log.error("Dumping FAILED.");
    throw;
  }
  log.info("Dumping finished successfully");
  return 0;
}

}  // namespace nsr
