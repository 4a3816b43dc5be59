#include "engine/dump/dump.h"

#include "engine/base/error.h"

namespace nsr {

void run_dump(const DumpOptions&) { throw Error(Failure::not_built, "dump", "this command is not built yet"); }

}  // namespace nsr
