// Functions that a vDSO offers (vdso(7)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace nsr {

struct VdsoFunction {
  uint64_t offset = 0, size = 0;  ///< from the start of the image
};

/// The dynamic symbols of an ELF image that are functions, by name. Every byte is judged hostile: what does not add up
/// gives no symbols.
std::map<std::string, VdsoFunction> vdso_functions(std::span<const std::byte> image);

}  // namespace nsr
