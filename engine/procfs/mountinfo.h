// /proc/PID/mountinfo: text to values (proc(5), section mountinfo; Documentation/filesystems/proc.rst).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nsr::procfs {

/// One line of mountinfo. Paths are unescaped ("\040" is a blank here).
struct MountInfo {
  int32_t id = 0;
  int32_t parent = 0;             ///< the mount's own id or one that is not listed, for the topmost mount
  uint32_t major = 0, minor = 0;  ///< st_dev of the files on it
  std::string root;               ///< what of the file system is mounted; of a bound nsfs file "net:[4026531840]"
  std::string mountpoint;         ///< relative to the reading task's root
  std::string options;            ///< per-mount options, as in the text
  std::optional<int32_t> shared;  ///< peer group, when propagation goes out
  std::optional<int32_t> master;  ///< peer group that propagation comes from
  std::optional<int32_t>
      propagate_from;  ///< nearest dominating group under the task's root, when that is not the master
  bool unbindable = false;
  std::string fs_type;  ///< "type" or "type.subtype"
  std::string source;
  std::string super_options;
};

/// Undoes the octal escapes that the kernel uses in paths for blank, tab, newline, backslash and '#'.
/// A backslash that starts no three octal digits stays as it is.
std::string unescape_octal(std::string_view text);

/// One line without its newline; nothing when it is not a mountinfo line. Unknown optional tags are skipped.
std::optional<MountInfo> parse_mountinfo_line(std::string_view line);

/// The whole text in its order (parents need not stand before children). Nothing when any line is damaged.
std::optional<std::vector<MountInfo>> parse_mountinfo(std::string_view text);

}  // namespace nsr::procfs
