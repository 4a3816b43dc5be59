#include "engine/files/covered.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/files/common.h"
#include "engine/procfs/mountinfo.h"

namespace nsr {
namespace {

constexpr size_t kMostHandleBytes = 128;  // MAX_HANDLE_SZ

/// Whether path is at or below this mount point.
bool is_below(const std::string& path, const std::string& mountpoint) {
  if (mountpoint == "/") return true;
  return path.compare(0, mountpoint.size(), mountpoint) == 0 &&
         (path.size() == mountpoint.size() || path[mountpoint.size()] == '/');
}

/// The file that `seen` (O_PATH) shows, on the mount that base is on; empty where the file system has no handles.
UniqueFd open_on_mount(int base, int seen, int flags) {
  std::vector<char> room(sizeof(file_handle) + kMostHandleBytes);
  auto* handle = reinterpret_cast<file_handle*>(room.data());
  handle->handle_bytes = kMostHandleBytes;
  int mount_id;
  if (::name_to_handle_at(seen, "", handle, &mount_id, AT_EMPTY_PATH) != 0) return UniqueFd();
  return close_on_exec(::open_by_handle_at(base, handle, flags));
}

}  // namespace

std::optional<std::string> covered_mount(const OpenFile& file, const std::string& path) {
  struct statx stx {};
  if (::statx(AT_FDCWD, file.proc_path.c_str(), 0, STATX_MNT_ID, &stx) != 0 || !(stx.stx_mask & STATX_MNT_ID))
    return {};
  auto text = read_file(format("/proc/%d/mountinfo", file.pid.value));
  auto mounts = text ? procfs::parse_mountinfo(*text) : std::nullopt;
  if (!mounts) throw_errno(Failure::target, file.describe(), "the mounts of its task cannot be read", errno);
  const procfs::MountInfo* own = nullptr;
  for (const auto& m : *mounts)
    if (static_cast<uint64_t>(m.id) == stx.stx_mnt_id) own = &m;
  if (!own || !is_below(path, own->mountpoint)) return {};
  for (const auto& m : *mounts)
    if (&m != own && m.mountpoint != own->mountpoint && is_below(m.mountpoint, own->mountpoint) &&
        is_below(path, m.mountpoint))
      return own->mountpoint;
  return {};
}

UniqueFd open_beneath(const std::string& mountpoint, const std::string& path, int flags) {
  if (!is_below(path, mountpoint)) throw Error(Failure::image, path, "it is not below " + mountpoint);
  UniqueFd copy(
      static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, mountpoint.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!copy)
    throw_errno(Failure::environment, path, "another mount covers it, and the one below cannot be copied", errno);
  std::string relative = path.substr(mountpoint == "/" ? 0 : mountpoint.size());
  UniqueFd seen(::openat(copy.get(), ("." + relative).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!seen)
    throw_errno(Failure::environment, path, "another mount covers it, and it is not there below that", errno,
                "bring the file back as it was at the dump");
  UniqueFd base(::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (UniqueFd fd = base ? open_on_mount(base.get(), seen.get(), flags) : UniqueFd()) return fd;
  return reopen(seen.get(), flags & ~O_NOFOLLOW, path);
}

}  // namespace nsr
