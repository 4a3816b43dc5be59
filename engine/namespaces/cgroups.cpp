#include "engine/namespaces/cgroups.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/namespaces/cgroup_properties.h"
#include "engine/procfs/reader.h"
#include "engine/trace/cgroup_freezer.h"

namespace nsr {
namespace {

const Logger log("cgroups");

std::string shown(const std::string& controllers) { return controllers.empty() ? "unified" : controllers; }

std::string object_of(const std::string& controllers, const std::string& path) {
  return "cgroup " + shown(controllers) + ":" + path;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

UniqueFd mount_hierarchy(const std::string& controllers) {
  UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, controllers.empty() ? "cgroup2" : "cgroup", FSOPEN_CLOEXEC)));
  if (!context) return {};
  auto config = [&](unsigned what, const char* key, const char* value) {
    return ::syscall(SYS_fsconfig, context.get(), what, key, value, 0) == 0;
  };
  bool good = true;
  for (const std::string& c : split(controllers)) {
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

/// Relative to the root of its hierarchy, for the *at() calls.
const char* relative(const std::string& path) { return path.size() > 1 ? path.c_str() + 1 : "."; }

bool usable(const std::string& path) { return path.starts_with('/') && (path + "/").find("/../") == std::string::npos; }

std::string root_for(const CgroupOptions& options, const std::string& controllers) {
  std::string root;
  auto all = split(controllers);
  for (const CgroupRoot& r : options.roots)
    if (r.controller.empty() ? root.empty()
                             : r.controller == controllers || std::count(all.begin(), all.end(), r.controller))
      root = r.path;
  while (root.ends_with('/')) root.pop_back();
  return root;
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
    if (!usable(e.path))
      throw Error(Failure::unsupported, format("pid %d", tid.value),
                  "its " + object_of(e.controllers, e.path) + " lies outside of the engine's cgroup namespace",
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

/// --cgroup-root at dump: what lies below is written as if that were the root.
std::string CgroupCollector::below_root(const procfs::CgroupEntry& e) const {
  std::string root = root_for(options_, e.controllers);
  if (root.empty() || !(e.path + "/").starts_with(root + "/")) return e.path;
  std::string rest = e.path.substr(root.size());
  return rest.empty() ? "/" : rest;
}

pb::cgroup_entry CgroupCollector::entry() {
  pb::cgroup_entry out;
  std::map<std::string, std::set<std::string>> paths;  // by hierarchy, as in the kernel
  for (size_t i = 1; i < sets_.size(); i++) {
    pb::cg_set_entry& set = *out.add_sets();
    set.set_id(static_cast<uint32_t>(i + 1));
    for (const auto& e : sets_[i]) {
      // where the engine is too, the restored task simply stays
      if (std::find(sets_[0].begin(), sets_[0].end(), e) != sets_[0].end()) continue;
      pb::cg_member_entry& m = *set.add_ctls();
      m.set_name(e.controllers);
      m.set_path(below_root(e));
      if (e.path != "/" && !e.deleted) paths[e.controllers].insert(e.path);
    }
  }
  for (const auto& [controllers, list] : paths) {
    auto names = split(controllers);
    const auto& only = options_.dump_controllers;
    if (!only.empty() && std::none_of(only.begin(), only.end(), [&](const std::string& c) {
          return c == controllers || std::count(names.begin(), names.end(), c);
        }))
      continue;
    pb::cg_controller_entry& c = *out.add_controllers();
    if (names.empty()) names.push_back("");
    for (const std::string& n : names) c.add_cnames(n);
    std::string covered;
    for (const std::string& path : list) {  // sorted: what lies below the last one is in it already
      if (!covered.empty() && path.starts_with(covered + "/")) continue;
      covered = path;
      pb::cgroup_dir_entry& dir = *c.add_dirs();
      dir.set_dir_name(below_root({0, controllers, path, false}));
      collect_directory(hierarchies_.root(controllers), relative(path), selection_.names(controllers), dir);
    }
  }
  return out;
}

CgroupRestorer::CgroupRestorer(const CgroupOptions& options, pb::cgroup_entry entry, uint32_t root_set)
    : options_(options), entry_(std::move(entry)), root_set_(root_set), hierarchies_(options.yard) {
  auto bad = [](const std::string& cause) {
    return Error(Failure::image, "cgroup.img", cause, "the images are damaged or mixed up: dump the tree again");
  };
  for (const auto& set : entry_.sets()) {
    if (!sets_.emplace(set.id(), &set).second) throw bad(format("set %u appears twice", set.id()));
    for (const auto& m : set.ctls())
      if (!usable(m.path())) throw bad("path \"" + m.path() + "\" is impossible");
  }
}

CgroupRestorer::~CgroupRestorer() {
  if (made_.empty()) freeze_again();
  for (auto m = made_.rbegin(); m != made_.rend(); ++m)
    if (::unlinkat(m->root, relative(m->path), AT_REMOVEDIR))
      log.warn("cgroup %s is left behind: %s", m->path.c_str(), std::strerror(errno));
}

bool CgroupRestorer::moves(uint32_t set) const {
  if (options_.mode == CgroupMode::ignore || set == 0 || set == root_set_) return false;
  if (!sets_.count(set))
    throw Error(Failure::image, "cgroup.img", format("a task is in set %u, which it does not have", set),
                "the images are damaged or mixed up: dump the tree again");
  return true;
}

std::string CgroupRestorer::relocated(const std::string& controllers, const std::string& path) const {
  std::string root = root_for(options_, controllers);
  return root.empty() ? path : path == "/" ? root : root + path;
}

/// Nothing could be made in a cgroup that stands still.
void CgroupRestorer::thaw(int dir, const pb::cgroup_dir_entry& entry) {
  if (!is_saved_frozen(entry)) return;
  if (is_frozen(dir)) set_frozen(dir, false);
  to_freeze_.emplace_back(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void CgroupRestorer::check_thawed() {
  for (const auto& [set, unused] : sets_)
    for (const auto& [controllers, path] : places(set)) {
      UniqueFd dir(::openat(hierarchies_.root(controllers), relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (dir && is_frozen(dir.get()))
        throw Error(Failure::environment, object_of(controllers, path),
                    "it is frozen, so nothing can be restored in it", "thaw it first");
    }
}

void CgroupRestorer::freeze_again() {
  for (const UniqueFd& dir : to_freeze_)
    if (!set_frozen(dir.get(), true))
      log.warn("a cgroup that was frozen cannot be frozen again: %s", std::strerror(errno));
  to_freeze_.clear();
}

void CgroupRestorer::prepare() {
  if (options_.mode == CgroupMode::ignore) return;
  for (const auto& c : entry_.controllers()) {
    std::string controllers;
    for (const auto& n : c.cnames()) controllers += (controllers.empty() ? "" : ",") + n;
    for (const auto& dir : c.dirs()) {
      std::string path = dir.dir_name().starts_with('/') ? dir.dir_name() : "/" + dir.dir_name();
      if (!usable(path)) throw Error(Failure::image, "cgroup.img", "directory \"" + path + "\" is impossible");
      make(controllers, hierarchies_.root(controllers), relocated(controllers, path), dir);
    }
  }
  check_thawed();
}

/// True when it was not there before.
bool CgroupRestorer::make_directory(const std::string& controllers, int root, const std::string& path) {
  CgroupMode mode = options_.mode;
  if (::faccessat(root, relative(path), F_OK, 0) == 0) {
    if (mode == CgroupMode::strict)
      throw Error(Failure::environment, object_of(controllers, path), "it exists already",
                  "remove it or use --manage-cgroups=soft");
    return false;
  }
  if (mode == CgroupMode::none || mode == CgroupMode::props)
    throw Error(Failure::environment, object_of(controllers, path), "it does not exist",
                "make it or use --manage-cgroups=soft");
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    std::string part = path.substr(0, at);
    if (::mkdirat(root, relative(part), 0755) == 0)
      made_.push_back({root, part});
    else if (errno != EEXIST)
      throw_errno(Failure::environment, object_of(controllers, part), "it cannot be made", errno,
                  "use --manage-cgroups=ignore to leave cgroups alone");
    if (at == std::string::npos) return true;
  }
}

void CgroupRestorer::make(const std::string& controllers, int root, const std::string& path,
                          const pb::cgroup_dir_entry& dir) {
  bool fresh = make_directory(controllers, root, path);
  bool set = options_.mode == CgroupMode::props || options_.mode == CgroupMode::full ||
             (fresh && options_.mode != CgroupMode::none);
  UniqueFd fd(::openat(root, relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno(Failure::environment, object_of(controllers, path), "it cannot be opened", errno);
  if (set) apply_properties(fd.get(), object_of(controllers, path), dir);
  thaw(fd.get(), dir);
  for (const auto& child : dir.children()) {
    if (child.dir_name().empty() || child.dir_name() == ".." || child.dir_name().find('/') != std::string::npos)
      throw Error(Failure::image, "cgroup.img", "directory \"" + child.dir_name() + "\" is impossible");
    make(controllers, root, path + "/" + child.dir_name(), child);
  }
}

std::map<std::string, std::string> CgroupRestorer::places(uint32_t set) const {
  std::map<std::string, std::string> out;
  if (moves(set))
    for (const auto& m : sets_.at(set)->ctls()) out[m.name()] = relocated(m.name(), m.path());
  return out;
}

void CgroupRestorer::move(uint32_t from, uint32_t set, HostPid id, bool thread) {
  std::map<std::string, std::string> old = places(from), places = this->places(set);
  // a hierarchy that a set does not name is one where its tasks are with the engine
  for (const auto& e : procfs::parse_cgroup(read_file("/proc/self/cgroup").value_or("")))
    if (old.count(e.controllers)) places.emplace(e.controllers, e.path);
  for (const auto& [controllers, path] : places) {
    if (auto is = old.find(controllers); is != old.end() && is->second == path) continue;
    // a thread of a v2 process can only be placed inside of its process's threaded cgroup
    std::string file = path + (path.ends_with('/') ? "" : "/") +
                       (!thread               ? "cgroup.procs"
                        : controllers.empty() ? "cgroup.threads"
                                              : "tasks");
    UniqueFd fd(::openat(hierarchies_.root(controllers), relative(file), O_WRONLY | O_CLOEXEC));
    std::string text = format("%d", id.value);
    if (!fd || !write_exact(fd.get(), text.data(), text.size()))
      throw_errno(Failure::environment, format("pid %d", id.value),
                  "it cannot be moved into " + object_of(controllers, path), errno,
                  "make the cgroup, or use --manage-cgroups=ignore");
  }
}

}  // namespace nsr
