#include "engine/restore/restore.h"

#include "engine/base/error.h"

namespace nsr {

int run_restore(const RestoreOptions&) { throw Error(Failure::not_built, "restore", "this command is not built yet"); }

}  // namespace nsr
