// The GNU build id of an ELF file, as images keep it.
#pragma once

#include <cstdint>
#include <vector>

namespace nsr {

/// Bytes of the .note.gnu.build-id note (elf(5)) cut into words of host order, the last one padded with zeros. Empty
/// when the file is no ELF file, has no such note or cannot be read. The content is not trusted: sizes are capped.
std::vector<uint32_t> read_build_id(int fd);

}  // namespace nsr
