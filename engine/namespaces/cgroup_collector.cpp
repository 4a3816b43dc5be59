#include "engine/namespaces/cgroup_collector.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/namespaces/cgroup_properties.h"

namespace nsr {

CgroupCollector::CgroupCollector(const CgroupOptions& options)
    : options_(options), ignored_(options.mode == CgroupMode::ignore), hierarchies_(options.yard) {
  if (!options.props.empty()) selection_.change(options.props, "--cgroup-props");
  if (!options.props_file.empty()) {
    auto text = read_file(options.props_file);
    if (!text)
      throw_errno(Failure::usage, "--cgroup-props-file " + options.props_file, "it cannot be read", errno,
                  "name a file that exists");
    selection_.change(*text, options.props_file);
  }
  if (!ignored_) sets_.push_back(procfs::parse_cgroup(read_file("/proc/self/cgroup").value_or("")));
}

uint32_t CgroupCollector::set_of(const std::string& text, HostPid tid) {
  if (ignored_) return 0;
  if (last_set_ && text == last_text_) return last_set_;
  Set set = procfs::parse_cgroup(text);
  last_text_ = text;
  for (size_t i = sets_.size(); i-- > 0;)
    if (sets_[i] == set) return last_set_ = static_cast<uint32_t>(i + 1);
  for (const auto& e : set)
    if (is_wanted(e.controllers) && !is_cgroup_path(e.path))
      throw Error(Failure::unsupported, format("pid %d", tid.value),
                  "its " + cgroup_object(e.controllers, e.path) + " lies outside of the engine's cgroup namespace",
                  "dump from the namespace above, or use --manage-cgroups=ignore");
  sets_.push_back(std::move(set));
  return last_set_ = static_cast<uint32_t>(sets_.size());
}

void CgroupCollector::note_frozen(int dir) {
  struct stat st;
  if (::fstat(dir, &st) == 0) frozen_ = {st.st_dev, st.st_ino};
}

void CgroupCollector::collect_directory(int parent_fd, const char* path, const std::vector<std::string>& properties,
                                        pb::cgroup_dir_entry& out) const {
  UniqueFd fd(::openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return;  // removed meanwhile
  collect_properties(fd.get(), properties, out);
  struct stat st;
  if (frozen_ && ::fstat(fd.get(), &st) == 0 && *frozen_ == std::pair(st.st_dev, st.st_ino)) add_frozen(fd.get(), out);
  for (const std::string& child : child_directories(fd.get())) {
    pb::cgroup_dir_entry& e = *out.add_children();
    e.set_dir_name(child);
    collect_directory(fd.get(), child.c_str(), properties, e);
  }
}

bool CgroupCollector::is_wanted(const std::string& controllers) const {
  const auto& only = options_.dump_controllers;
  auto names = split_controllers(controllers);
  return only.empty() || std::ranges::any_of(only, [&](const std::string& c) {
           return c == controllers || std::count(names.begin(), names.end(), c);
         });
}

/// paths in order. Those below --cgroup-root are saved from there on.
void CgroupCollector::collect_hierarchy(const std::string& controllers, const std::vector<std::string>& paths,
                                        pb::cg_controller_entry& out) {
  auto names = split_controllers(controllers);
  if (names.empty()) names.emplace_back();
  for (const std::string& n : names) out.add_cnames(n);
  std::string root = cgroup_root_of(options_, controllers).value_or("/");
  std::string covered;
  for (const std::string& path : paths) {
    if (!covered.empty() && is_at_or_below(path, covered)) continue;
    covered = root != "/" && is_at_or_below(path, root) ? root : path;
    pb::cgroup_dir_entry& dir = *out.add_dirs();
    dir.set_dir_name(covered);
    collect_directory(hierarchies_.root(controllers), relative_cgroup(covered), selection_.names(controllers), dir);
  }
}

pb::cgroup_entry CgroupCollector::entry() {
  pb::cgroup_entry out;
  std::map<std::string, std::set<std::string>> paths;  // by hierarchy, as in the kernel
  for (size_t i = 1; i < sets_.size(); i++) {
    pb::cg_set_entry& set = *out.add_sets();
    set.set_id(static_cast<uint32_t>(i + 1));
    for (const auto& e : sets_[i]) {
      // where the engine is too, the restored task simply stays; of a zombie the cgroup may be gone
      bool engine_too = std::find(sets_[0].begin(), sets_[0].end(), e) != sets_[0].end();
      if (engine_too || e.deleted || !is_wanted(e.controllers)) continue;
      pb::cg_member_entry& m = *set.add_ctls();
      m.set_name(e.controllers);
      m.set_path(e.path);
      if (e.path != "/") paths[e.controllers].insert(e.path);
    }
  }
  for (const auto& [controllers, set] : paths)
    collect_hierarchy(controllers, {set.begin(), set.end()}, *out.add_controllers());
  return out;
}

}  // namespace nsr
