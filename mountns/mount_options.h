// The option text of a file system, as mountinfo and mount(8) write it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nsr {

struct MountOption {
  std::string key;
  std::optional<std::string> value;  ///< without the quotes in which SELinux writes a label with commas
  bool operator==(const MountOption&) const = default;
};

/// context: a label in place of that of context= where there is one; empty: as it stands.
std::vector<MountOption> parse_mount_options(std::string_view text, const std::string& context = "");

}  // namespace nsr
