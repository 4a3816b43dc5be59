// UTS namespaces (uts_namespaces(7)): host name and NIS domain name.
#pragma once

#include <cstdint>

#include "engine/images/image_dir.h"

namespace nsr {

/// Writes the calling thread's to utsns-<id>.img.
void dump_uts_namespace(ImageDir& images, uint64_t id);
/// Sets the calling thread's from it. Throws Error(image), Error(environment).
void fill_uts_namespace(const ImageDir& images, uint64_t id);

}  // namespace nsr
