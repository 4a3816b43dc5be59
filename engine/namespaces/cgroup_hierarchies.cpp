#include "engine/namespaces/cgroup_hierarchies.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"

namespace nsr {
namespace {

std::string shown(const std::string& controllers) { return controllers.empty() ? "unified" : controllers; }

UniqueFd mount_hierarchy(const std::string& controllers) {
  UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, controllers.empty() ? "cgroup2" : "cgroup", FSOPEN_CLOEXEC)));
  if (!context) return {};
  auto config = [&](unsigned what, const char* key, const char* value) {
    return ::syscall(SYS_fsconfig, context.get(), what, key, value, 0) == 0;
  };
  bool good = true;
  for (const std::string& c : split_controllers(controllers)) {
    if (c.starts_with("name=")) {
      good = good && config(FSCONFIG_SET_STRING, "name", c.c_str() + 5);
      if (controllers == c) good = good && config(FSCONFIG_SET_FLAG, "none", nullptr);
    } else {
      good = good && config(FSCONFIG_SET_FLAG, c.c_str(), nullptr);
    }
  }
  if (!good || !config(FSCONFIG_CMD_CREATE, nullptr, nullptr)) return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

}  // namespace

int CgroupHierarchies::root(const std::string& controllers) {
  UniqueFd& fd = roots_[controllers];
  if (fd) return fd.get();
  if (yard_.empty()) {
    fd = mount_hierarchy(controllers);
  } else {
    std::string name = controllers.starts_with("name=") ? controllers.substr(5) : shown(controllers);
    fd = UniqueFd(::open((yard_ + "/" + name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  if (!fd)
    throw_errno(Failure::environment, "cgroup hierarchy " + shown(controllers), "it cannot be reached", errno,
                "use --manage-cgroups=ignore to leave cgroups alone");
  return fd.get();
}

std::vector<std::string> split_controllers(const std::string& controllers) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= controllers.size();) {
    size_t comma = std::min(controllers.find(',', at), controllers.size());
    if (comma > at) out.push_back(controllers.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

std::string cgroup_object(const std::string& controllers, const std::string& path) {
  return "cgroup " + shown(controllers) + ":" + path;
}

const char* relative_cgroup(const std::string& path) { return path.size() > 1 ? path.c_str() + 1 : "."; }

bool is_cgroup_path(const std::string& path) {
  return path.starts_with('/') && (path + "/").find("/../") == std::string::npos;
}

bool is_at_or_below(const std::string& path, const std::string& above) {
  return above == "/" || (path + "/").starts_with(above + "/");
}

std::optional<std::string> cgroup_root_of(const CgroupOptions& options, const std::string& controllers) {
  const CgroupRoot* found = nullptr;
  auto all = split_controllers(controllers);
  for (const CgroupRoot& r : options.roots)
    if (r.controller.empty() ? !found : r.controller == controllers || std::count(all.begin(), all.end(), r.controller))
      found = &r;
  if (!found) return {};
  std::string path = found->path;
  while (path.ends_with('/')) path.pop_back();
  return path.empty() ? "/" : path;
}

}  // namespace nsr
