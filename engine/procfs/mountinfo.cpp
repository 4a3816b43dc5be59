#include "engine/procfs/mountinfo.h"

#include <limits>

#include "engine/base/scanner.h"

namespace nsr::procfs {
namespace {

template <class Number>
bool read_number(Scanner& in, Number& out) {
  auto value = in.number();
  if (!value || *value > static_cast<uint64_t>(std::numeric_limits<Number>::max())) return false;
  out = static_cast<Number>(*value);
  return true;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// The next field; an empty one is allowed (a file system may be mounted with the source "").
std::optional<std::string_view> field(Scanner& in) {
  if (in.done()) return std::nullopt;
  std::string_view all = in.rest();
  std::string_view found = all.substr(0, all.find(' '));
  in.literal(found);
  in.literal(" ");
  return found;
}

bool read_tag(std::string_view tag, MountInfo& mount) {
  Scanner in(tag);
  auto group = [&](std::optional<int32_t>& out) {
    int32_t number;
    if (!read_number(in, number) || !in.done()) return false;
    out = number;
    return true;
  };
  if (in.literal("shared:")) return group(mount.shared);
  if (in.literal("master:")) return group(mount.master);
  if (in.literal("propagate_from:")) return group(mount.propagate_from);
  if (tag == "unbindable") mount.unbindable = true;
  return true;  // proc(5): parsers should ignore tags they do not know
}

}  // namespace

std::string unescape_octal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' && is_octal(text[i + 1]) &&
        is_octal(text[i + 2]) && is_octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<MountInfo> parse_mountinfo_line(std::string_view line) {
  Scanner in(line);
  MountInfo mount;
  if (!read_number(in, mount.id) || !in.literal(" ") || !read_number(in, mount.parent) || !in.literal(" ") ||
      !read_number(in, mount.major) || !in.literal(":") || !read_number(in, mount.minor) || !in.literal(" "))
    return std::nullopt;
  auto root = field(in), mountpoint = field(in), options = field(in);
  if (!root || !mountpoint || !options) return std::nullopt;
  mount.root = unescape_octal(*root);
  mount.mountpoint = unescape_octal(*mountpoint);
  mount.options = std::string(*options);
  for (;;) {
    auto tag = field(in);
    if (!tag) return std::nullopt;
    if (*tag == "-") break;
    if (!read_tag(*tag, mount)) return std::nullopt;
  }
  auto type = field(in), source = field(in);
  if (!type || !source) return std::nullopt;
  mount.fs_type = unescape_octal(*type);
  mount.source = unescape_octal(*source);
  mount.super_options = std::string(in.rest());
  return mount;
}

std::optional<std::vector<MountInfo>> parse_mountinfo(std::string_view text) {
  std::vector<MountInfo> mounts;
  Scanner in(text);
  while (auto line = in.line()) {
    auto mount = parse_mountinfo_line(*line);
    if (!mount) return std::nullopt;
    mounts.push_back(std::move(*mount));
  }
  return mounts;
}

}  // namespace nsr::procfs
