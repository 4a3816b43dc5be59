// The one table that names all kinds of open files, in the order in which they are asked.
#include "engine/descriptors/kind.h"
#include "engine/sockets/kinds.h"

namespace nsr {

std::vector<std::unique_ptr<Kind>> make_kinds() {
  std::vector<std::unique_ptr<Kind>> kinds;
  kinds.push_back(make_inet_kind());
  return kinds;
}

}  // namespace nsr
