// The kind io_uring.
#pragma once

#include <memory>

#include "engine/descriptors/kind.h"

namespace nsr {

std::unique_ptr<Kind> make_io_uring_kind();

}  // namespace nsr
