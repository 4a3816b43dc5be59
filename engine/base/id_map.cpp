#include "engine/base/id_map.h"

#include <optional>

#include "engine/base/error.h"
#include "engine/base/scanner.h"

namespace nsr {
namespace {

/// The id of `from` in an extent that begins at `first`; nothing when it is not in it.
std::optional<uint32_t> shifted(uint32_t from, uint32_t first, uint32_t to, uint32_t count) {
  if (from < first || from - first >= count) return {};
  return to + (from - first);
}

}  // namespace

bool IdMap::knows(uint32_t outer) const {
  if (identity_) return true;
  for (const Extent& e : extents_)
    if (shifted(outer, e.outer, e.inner, e.count)) return true;
  return false;
}

uint32_t IdMap::inner(uint32_t outer) const {
  if (identity_) return outer;
  for (const Extent& e : extents_)
    if (auto id = shifted(outer, e.outer, e.inner, e.count)) return *id;
  return kUnknown;
}

uint32_t IdMap::outer(uint32_t inner) const {
  if (identity_) return inner;
  for (const Extent& e : extents_)
    if (auto id = shifted(inner, e.inner, e.outer, e.count)) return *id;
  return kNone;
}

const UserMap& same_users() {
  static const UserMap same;
  return same;
}

IdMap parse_id_map(std::string_view text, std::string_view object) {
  std::vector<IdMap::Extent> extents;
  Scanner in(text);
  while (!in.blanks().done()) {
    auto inner = in.number(), outer = in.blanks().number(), count = in.blanks().number();
    if (!inner || !outer || !count || !in.literal("\n"))
      throw Error(Failure::environment, std::string(object), "a line of it cannot be understood");
    extents.push_back({static_cast<uint32_t>(*inner), static_cast<uint32_t>(*outer), static_cast<uint32_t>(*count)});
  }
  return IdMap(std::move(extents));
}

std::string id_map_text(const IdMap& map) {
  std::string text;
  for (const IdMap::Extent& e : map.extents()) text += format("%u %u %u\n", e.inner, e.outer, e.count);
  return text;
}

}  // namespace nsr
