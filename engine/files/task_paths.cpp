#include "engine/files/task_paths.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "pidns/in_namespace.h"

namespace nsr {

TaskPaths::View& TaskPaths::view_of(HostPid pid) {
  auto [at, fresh] = views_.try_emplace(pid);
  if (!fresh) return at->second;
  auto theirs = read_link(format("/proc/%d/ns/mnt", pid.value));
  auto ours = read_link("/proc/self/ns/mnt");
  auto root = read_link(format("/proc/%d/root", pid.value));
  if (!theirs || !ours || !root)
    throw_errno(Failure::target, format("pid %d", pid.value), "its root or mount namespace cannot be read", errno);
  at->second = {*theirs == *ours, *root, {}};
  return at->second;
}

std::string TaskPaths::from_engine(HostPid pid, const std::string& path) {
  View& view = view_of(pid);
  if (view.same_namespace) return path;
  std::string base = format("/proc/%d/root", pid.value);
  if (view.root == "/") return base + path;
  // of the directory, not of the link; one that was deleted is found nowhere
  if (path == view.root && !path.ends_with(" (deleted)")) return base + "/.";
  if (path.compare(0, view.root.size() + 1, view.root + "/") == 0) return base + path.substr(view.root.size());
  if (!view.top) {
    InMountNamespace there(open_namespace(std::to_string(pid.value), "mnt"));
    view.top = UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  if (!view.top)
    throw_errno(Failure::environment, format("pid %d", pid.value),
                "the root directory of its mount namespace cannot be opened", errno);
  return format("/proc/self/fd/%d", view.top.get()) + path;
}

}  // namespace nsr
