#include "engine/namespaces/cgroup_above.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/namespaces/cgroup_hierarchies.h"

namespace nsr {
namespace {

const Logger log("cgroups");

UniqueFd open_directory(int at, const std::string& path) {
  return UniqueFd(::openat(at, relative_cgroup(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

bool write_at(int dir, const char* name, const std::string& text) {
  UniqueFd fd(::openat(dir, name, O_WRONLY | O_CLOEXEC));
  return fd && write_exact(fd.get(), text.data(), text.size());
}

bool has_word(const std::string& text, const std::string& word) {
  return (" " + text + " ").find(" " + word + " ") != std::string::npos;
}

std::string line_of(int dir, const char* name) {
  std::string text = read_file_at(dir, name).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

void inherit_cpuset(int hierarchy, const std::string& path) {
  UniqueFd dir = open_directory(hierarchy, path);
  if (!dir) return;
  for (const char* name : {"cpuset.cpus", "cpuset.mems"}) {
    auto own = read_file_at(dir.get(), name);
    if (!own || (!own->empty() && *own != "\n")) continue;
    std::string of_parent = line_of(dir.get(), (std::string("../") + name).c_str());
    if (!write_at(dir.get(), name, of_parent))
      log.warn("cgroup %s: %s cannot be set to \"%s\": %s", path.c_str(), name, of_parent.c_str(),
               std::strerror(errno));
  }
}

std::set<std::string> missing_controllers(int dir_fd, const pb::cgroup_dir_entry& saved) {
  std::set<std::string> out;
  for (const auto& p : saved.properties()) {
    std::string controller = p.name().substr(0, p.name().find('.'));
    if (controller != "cgroup" && ::faccessat(dir_fd, p.name().c_str(), F_OK, 0)) out.insert(controller);
  }
  return out;
}

void enable_controllers(int hierarchy, const std::string& path, const std::set<std::string>& controllers) {
  for (size_t end = path.find('/', 1), at = 0; at != std::string::npos && !controllers.empty();) {
    std::string above = at == 0 ? "/" : path.substr(0, at);
    if (above == path) return;
    UniqueFd dir = open_directory(hierarchy, above);
    if (!dir) return;
    std::string available = line_of(dir.get(), "cgroup.controllers");
    std::string enabled = line_of(dir.get(), "cgroup.subtree_control");
    for (const std::string& c : controllers)
      if (has_word(available, c) && !has_word(enabled, c) && !write_at(dir.get(), "cgroup.subtree_control", "+" + c))
        log.warn("%s: the controller %s cannot be enabled: %s", cgroup_object("", above).c_str(), c.c_str(),
                 std::strerror(errno));
    at = end;
    end = end == std::string::npos ? end : path.find('/', end + 1);
  }
}

}  // namespace nsr
