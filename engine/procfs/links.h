// Targets of the links in /proc/PID/fd and /proc/PID/ns.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nsr::procfs {

/// "socket:[4711]", "pipe:[12]", "net:[4026531840]".
struct NumberedLink {
  std::string_view kind;  ///< "socket", "pipe", "net" ...: part of the text given
  uint64_t ino = 0;
};
/// No value when the text is not of that form (a path, an anon_inode).
std::optional<NumberedLink> parse_numbered_link(std::string_view target);
/// NAME of "anon_inode:[NAME]" or "anon_inode:NAME" ("inotify", "eventfd", "bpf-map" ...).
std::optional<std::string_view> parse_anon_inode(std::string_view target);

}  // namespace nsr::procfs
