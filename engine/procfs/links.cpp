#include "engine/procfs/links.h"

#include "engine/base/scanner.h"

namespace nsr::procfs {

std::optional<NumberedLink> parse_numbered_link(std::string_view target) {
  Scanner scan(target);
  if (target.starts_with('/')) return std::nullopt;
  auto kind = scan.until(':');
  if (!kind || kind->empty() || !scan.literal("[")) return std::nullopt;
  auto ino = scan.number();
  if (!ino || !scan.literal("]") || !scan.done()) return std::nullopt;
  return NumberedLink{*kind, *ino};
}

std::optional<std::string_view> parse_anon_inode(std::string_view target) {
  Scanner scan(target);
  if (!scan.literal("anon_inode:")) return std::nullopt;
  std::string_view name = scan.rest();
  if (name.starts_with('[') && name.ends_with(']')) return name.substr(1, name.size() - 2);
  return name;
}

}  // namespace nsr::procfs
