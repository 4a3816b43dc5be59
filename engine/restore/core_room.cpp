#include "engine/restore/core_room.h"

#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "engine/base/file_io.h"

namespace nsr {

UniqueFd make_core_room() {
  const std::string pattern = read_file("/proc/sys/kernel/core_pattern").value_or("|");
  if (pattern.starts_with('|') || pattern.starts_with('@')) return {};
  UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
  if (!context || ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0)) return {};
  UniqueFd root(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!root) return {};
  ::fchmod(root.get(), 0777);
  for (size_t at = 1; (at = pattern.find('/', at)) != std::string::npos; at++) {
    std::string directory = pattern.substr(0, at);
    directory.erase(0, directory.find_first_not_of('/'));
    ::mkdirat(root.get(), directory.c_str(), 0777);
  }
  return root;
}

}  // namespace nsr
