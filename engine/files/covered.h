// Files whose path leads elsewhere because a later mount covers it.
#pragma once

#include <optional>
#include <string>

#include "engine/base/unique_fd.h"
#include "engine/descriptors/kind.h"

namespace nsr {

/// Mount point of the mount that a file is on, when another mount covers the file's path; nothing when none does.
/// path: as its task sees it. Needs STATX_MNT_ID (Linux 5.8).
std::optional<std::string> covered_mount(const OpenFile& file, const std::string& path);

/// Opens what has this path on the mount at `mountpoint`, whatever covers it now (open_tree(2), Linux 5.2). The open
/// file is on that mount where its file system has handles (open_by_handle_at(2)); else it is on a copy of the mount,
/// and /proc shows its path from there. Throws Error(environment).
UniqueFd open_beneath(const std::string& mountpoint, const std::string& path, int flags);

}  // namespace nsr
