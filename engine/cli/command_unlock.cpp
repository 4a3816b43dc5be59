#include "engine/base/log.h"
#include "engine/cli/commands.h"
#include "engine/images/image_dir.h"
#include "engine/namespaces/network_lock.h"
#include "inventory.pb.h"

namespace nsr {
namespace {
const Logger log("unlock");
}

int command_unlock(const Options& options) {
  const ImageDir images(options.run.images_dir);
  const auto inventory = images.one<pb::inventory_entry>(Img::inventory);
  const auto method = static_cast<NetworkLock>(inventory.network_lock_method());
  if (!inventory.has_dump_criu_run_id() || !inventory.has_network_lock_method() || method > NetworkLock::skip ||
      !NetworkHold(method, inventory.dump_criu_run_id()).remove_kept())
    log.info("these images hold no connection still");
  return 0;
}

}  // namespace nsr
