#include "engine/files/watch_target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/descriptors/options.h"
#include "engine/procfs/mountinfo.h"

namespace nsr {
namespace {

constexpr int kWords = 16;             // the peer's reader wants that many
constexpr size_t kMostNames = 100000;  // some tenths of a second

dev_t device(uint32_t kernel) { return makedev(kernel >> 20, kernel & 0xfffff); }

bool is_inode(const std::string& path, uint32_t sdev, uint64_t ino) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && st.st_ino == ino && st.st_dev == device(sdev);
}

std::vector<procfs::MountInfo> mounts_of(const std::string& pid) {
  auto text = read_file("/proc/" + pid + "/mountinfo");
  auto list = text ? procfs::parse_mountinfo(*text) : std::nullopt;
  if (!list) throw_errno(Failure::target, "/proc/" + pid + "/mountinfo", "cannot be read", errno);
  return *list;
}

UniqueFd open_handle(const std::string& mountpoint, uint32_t type, const char* bytes, size_t n) {
  UniqueFd mount(::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<char> room(sizeof(file_handle) + n);
  auto* handle = reinterpret_cast<file_handle*>(room.data());
  handle->handle_bytes = static_cast<unsigned>(n);
  handle->handle_type = static_cast<int>(type);
  std::memcpy(handle->f_handle, bytes, n);
  return UniqueFd(mount ? ::open_by_handle_at(mount.get(), handle, O_PATH | O_CLOEXEC) : -1);
}

std::string link_of(int fd) { return read_link(format("/proc/self/fd/%d", fd)).value_or(""); }

/// The way from a handle to a path: through any mount of that filesystem under which the inode is seen.
std::optional<std::string> path_by_handle(const OpenFile& watcher, uint32_t sdev, uint64_t ino,
                                          const procfs::FileHandle& handle, NamedFiles& files) {
  for (const procfs::MountInfo& m : mounts_of(std::to_string(watcher.pid.value))) {
    if (makedev(m.major, m.minor) != device(sdev)) continue;
    std::string at = files.paths().from_engine(watcher.pid, m.mountpoint);
    UniqueFd fd = open_handle(at, handle.type, handle.bytes.data(), handle.bytes.size());
    if (!fd) continue;
    std::string path = link_of(fd.get());
    // through /proc/PID/root of another mount namespace the link reads as that namespace has it
    if (!path.empty() && path[0] == '/' && is_inode(files.paths().from_engine(watcher.pid, path), sdev, ino))
      return path;
  }
  return std::nullopt;
}

/// The inode at or below root, on the file systems that `root` is on; looks at no more than `budget` names, which it
/// counts down.
std::optional<std::string> find_below(const std::string& root, uint32_t sdev, uint64_t ino, size_t& budget) {
  namespace fs = std::filesystem;
  if (is_inode(root, sdev, ino)) return root;
  std::error_code skip;
  for (auto it = fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied, skip);
       budget > 0 && it != fs::recursive_directory_iterator(); it.increment(skip)) {
    budget--;
    struct stat st {};
    if (::lstat(it->path().c_str(), &st) != 0) continue;
    if (st.st_ino == ino && st.st_dev == device(sdev)) return it->path().string();
    if (S_ISDIR(st.st_mode) && st.st_dev != device(sdev)) it.disable_recursion_pending();
  }
  return std::nullopt;
}

/// --irmap-scan-path, or everything with --force-irmap.
std::optional<std::string> path_by_search(uint32_t sdev, uint64_t ino, const FileOptions& options) {
  std::vector<std::string> roots = options.irmap_scan_paths;
  if (roots.empty() && options.force_irmap) roots.push_back("/");
  size_t budget = SIZE_MAX;
  for (const std::string& root : roots)
    if (auto found = find_below(root, sdev, ino, budget)) return found;
  return std::nullopt;
}

/// File systems without handles that can be opened (sysfs, overlayfs) are searched where they are mounted, as far as
/// that does not take long. /proc shows processes, whose files are looked for by other means.
std::optional<std::string> path_below_mounts(const OpenFile& watcher, uint32_t sdev, uint64_t ino, NamedFiles& files) {
  size_t budget = kMostNames;
  for (const procfs::MountInfo& m : mounts_of(std::to_string(watcher.pid.value))) {
    if (makedev(m.major, m.minor) != device(sdev)) continue;
    std::string at = files.paths().from_engine(watcher.pid, m.mountpoint);
    size_t nothing = 0;
    auto found = find_below(at, sdev, ino, m.fs_type == "proc" ? nothing : budget);
    if (!found) continue;
    std::string below = found->substr(at.size());
    if (below.empty()) return m.mountpoint;
    return (m.mountpoint == "/" ? "" : m.mountpoint) + (below[0] == '/' ? "" : "/") + below;
  }
  return std::nullopt;
}

/// A file of the tree that is the same inode: its path, or the empty text for a nameless one.
std::optional<std::string> path_by_open_file(uint32_t sdev, uint64_t ino, NamedFiles& files, DumpContext& ctx) {
  std::optional<std::string> found;
  for (const OpenFile& f : ctx.all_open_files()) {
    if (f.st.st_ino != ino || f.st.st_dev != device(sdev) || f.link.empty() || f.link[0] != '/') continue;
    if (is_inode(files.paths().from_engine(f.pid, f.link), sdev, ino)) return f.link;
    if (f.st.st_nlink == 0) found = "";
  }
  return found;
}

void put_words(const std::string& bytes, pb::fh_entry& entry) {
  for (int i = 0; i < std::max(kWords, static_cast<int>((bytes.size() + 7) / 8)); ++i) {
    uint64_t word = 0;
    size_t at = static_cast<size_t>(i) * 8;
    if (at < bytes.size()) std::memcpy(&word, bytes.data() + at, std::min<size_t>(8, bytes.size() - at));
    entry.add_handle(word);
  }
}

}  // namespace

pb::fh_entry dump_watch_target(const OpenFile& watcher, uint32_t sdev, uint64_t ino,
                               const std::optional<procfs::FileHandle>& handle, NamedFiles& files, DumpContext& ctx) {
  pb::fh_entry entry;
  entry.set_bytes(handle ? static_cast<uint32_t>(handle->bytes.size()) : 0);
  entry.set_type(handle ? handle->type : 0);
  put_words(handle ? handle->bytes : "", entry);
  std::optional<std::string> path;
  if (handle) path = path_by_handle(watcher, sdev, ino, *handle, files);
  if (!path) path = path_by_open_file(sdev, ino, files, ctx);
  if (!path) path = path_by_search(sdev, ino, ctx.options());
  if (!path) path = path_below_mounts(watcher, sdev, ino, files);
  if (!path)
    throw Error(Failure::unsupported, watcher.describe(),
                format("it watches inode %llu of device %u:%u, to which no path could be found",
                       static_cast<unsigned long long>(ino), sdev >> 20, sdev & 0xfffff),
                "name a directory to search with --irmap-scan-path");
  if (!path->empty()) entry.set_path(*path);
  return entry;
}

std::string restore_watch_target(const pb::fh_entry& target, uint32_t sdev, uint64_t ino, const std::string& object,
                                 NamedFiles& files, RestoreContext& ctx, UniqueFd& keep) {
  if (target.has_path() && !target.path().empty()) {
    struct stat st {};
    if (::lstat(target.path().c_str(), &st) != 0)
      throw_errno(Failure::environment, object, "what it watched, " + target.path() + ", is not there", errno);
    return target.path();
  }
  if (int ghost = files.ghost_by_inode(sdev, ino, ctx); ghost >= 0) return format("/proc/self/fd/%d", ghost);
  std::string bytes(reinterpret_cast<const char*>(target.handle().data()),
                    static_cast<size_t>(target.handle_size()) * 8);
  if (target.bytes() > bytes.size()) throw Error(Failure::image, object, "its file handle is cut short");
  for (const procfs::MountInfo& m : mounts_of("self")) {
    if (makedev(m.major, m.minor) != device(sdev)) continue;
    keep = open_handle(m.mountpoint, target.type(), bytes.data(), target.bytes());
    if (keep) return format("/proc/self/fd/%d", keep.get());
  }
  throw Error(Failure::environment, object,
              format("what it watched, inode %llu of device %u:%u, is not there", static_cast<unsigned long long>(ino),
                     sdev >> 20, sdev & 0xfffff));
}

bool watch_follows(const std::string& path) { return path.starts_with("/proc/self/fd/"); }

std::optional<procfs::MountInfo> mount_of_device(HostPid pid, uint32_t sdev) {
  for (const procfs::MountInfo& m : mounts_of(std::to_string(pid.value)))
    if (makedev(m.major, m.minor) == device(sdev)) return m;
  return std::nullopt;
}

std::optional<std::string> mount_point(HostPid pid, int mnt_id) {
  for (const procfs::MountInfo& m : mounts_of(std::to_string(pid.value)))
    if (m.id == mnt_id) return m.mountpoint;
  return std::nullopt;
}

}  // namespace nsr
