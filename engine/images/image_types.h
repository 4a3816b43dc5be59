// The table of image types: magic, framing and file name of each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/images/image_dir.h"

namespace nsr {

inline constexpr uint32_t kInventoryMagic = 0x58313116;
inline constexpr uint32_t kCommonMagic = 0x54564319;   ///< first word of a framed image
inline constexpr uint32_t kServiceMagic = 0x55105940;  ///< first word of stats-* and irmap-cache
/// No record may be larger: the largest known ones (a VMA list of 65530 mappings) have some 5 MiB.
inline constexpr uint32_t kMaxRecord = 64u << 20;

enum class Framing {
  single,   ///< the type magic alone, then records
  common,   ///< kCommonMagic and the type magic, then records (type magic alone in layout version 1)
  service,  ///< kServiceMagic and the type magic, then records
  raw,      ///< bytes from offset 0
};

enum class Numbering { none, decimal, hex, stats_word };

struct ImageType {
  Img type;
  Framing framing;
  Numbering numbering;
  uint32_t magic;
  const char* prefix;
  const char* suffix;
};

const ImageType& image_type(Img type);

}  // namespace nsr
