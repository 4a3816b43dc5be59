#include "engine/namespaces/cgroup_restorer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/namespaces/cgroup_above.h"
#include "engine/namespaces/cgroup_properties.h"
#include "engine/procfs/cgroup.h"
#include "engine/trace/cgroup_freezer.h"

namespace nsr {
namespace {

const Logger log("cgroups");

std::string joined(const pb::cg_controller_entry& controller) {
  std::string out;
  for (const auto& n : controller.cnames()) out += (out.empty() ? "" : ",") + n;
  return out;
}

/// The images of the peer have names without the first slash, too.
std::string directory_name(const pb::cgroup_dir_entry& dir) {
  std::string path = dir.dir_name().starts_with('/') ? dir.dir_name() : "/" + dir.dir_name();
  if (!is_cgroup_path(path)) throw Error(Failure::image, "cgroup.img", "directory \"" + path + "\" is impossible");
  return path;
}

/// The deepest cgroup that both are, or lie below.
std::string common_top(std::string a, const std::string& b) {
  while (!is_at_or_below(b, a)) {
    a.resize(a.rfind('/'));
    if (a.empty()) a = "/";
  }
  return a;
}

}  // namespace

CgroupRestorer::CgroupRestorer(const CgroupOptions& options, pb::cgroup_entry entry, uint32_t root_set)
    : options_(options), entry_(std::move(entry)), root_set_(root_set), hierarchies_(options.yard) {
  auto bad = [](const std::string& cause) {
    return Error(Failure::image, "cgroup.img", cause, "the images are damaged or mixed up: dump the tree again");
  };
  for (const auto& set : entry_.sets()) {
    if (!sets_.emplace(set.id(), &set).second) throw bad(format("set %u appears twice", set.id()));
    for (const auto& m : set.ctls())
      if (!is_cgroup_path(m.path())) throw bad("path \"" + m.path() + "\" is impossible");
  }
  auto include = [&](const std::string& controllers, const std::string& path) {
    auto [top, fresh] = tops_.emplace(controllers, path);
    if (!fresh) top->second = common_top(top->second, path);
  };
  for (const auto& c : entry_.controllers())
    for (const auto& dir : c.dirs()) include(joined(c), directory_name(dir));
  auto by_directories = tops_;
  for (const auto& set : entry_.sets())
    for (const auto& m : set.ctls())
      if (!by_directories.count(m.name())) include(m.name(), m.path());
}

CgroupRestorer::~CgroupRestorer() {
  if (made_.empty()) freeze_again();
  for (auto m = made_.rbegin(); m != made_.rend(); ++m)
    if (::unlinkat(m->root, relative_cgroup(m->path), AT_REMOVEDIR))
      log.warn("cgroup %s is left behind: %s", m->path.c_str(), std::strerror(errno));
}

bool CgroupRestorer::moves(uint32_t set) const {
  if (options_.mode == CgroupMode::ignore || set == 0 || set == root_set_) return false;
  if (!sets_.count(set))
    throw Error(Failure::image, "cgroup.img", format("a task is in set %u, which it does not have", set),
                "the images are damaged or mixed up: dump the tree again");
  return true;
}

/// --cgroup-root takes the place of the topmost one.
std::string CgroupRestorer::relocated(const std::string& controllers, const std::string& path) const {
  auto root = cgroup_root_of(options_, controllers);
  auto top = tops_.find(controllers);
  if (!root || top == tops_.end() || !is_at_or_below(path, top->second)) return path;
  std::string below = top->second == "/" ? path : path.substr(top->second.size());
  if (below.empty() || below == "/") return *root;
  return *root == "/" ? below : *root + below;
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
      UniqueFd dir(::openat(hierarchies_.root(controllers), relative_cgroup(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (dir && is_frozen(dir.get()))
        throw Error(Failure::environment, cgroup_object(controllers, path),
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
    std::string controllers = joined(c);
    for (const auto& dir : c.dirs())
      make(controllers, hierarchies_.root(controllers), relocated(controllers, directory_name(dir)), dir);
  }
  check_thawed();
}

/// True when it was not there before.
bool CgroupRestorer::make_directory(const std::string& controllers, int root, const std::string& path) {
  CgroupMode mode = options_.mode;
  if (::faccessat(root, relative_cgroup(path), F_OK, 0) == 0) {
    if (mode == CgroupMode::strict)
      throw Error(Failure::environment, cgroup_object(controllers, path), "it exists already",
                  "remove it or use --manage-cgroups=soft");
    return false;
  }
  if (mode == CgroupMode::none || mode == CgroupMode::props)
    throw Error(Failure::environment, cgroup_object(controllers, path), "it does not exist",
                "make it or use --manage-cgroups=soft");
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    std::string part = path.substr(0, at);
    if (::mkdirat(root, relative_cgroup(part), 0755) == 0) {
      made_.push_back({root, part});
      if (!controllers.empty()) inherit_cpuset(root, part);
    } else if (errno != EEXIST)
      throw_errno(Failure::environment, cgroup_object(controllers, part), "it cannot be made", errno,
                  "use --manage-cgroups=ignore to leave cgroups alone");
    if (at == std::string::npos) return true;
  }
}

void CgroupRestorer::make(const std::string& controllers, int root, const std::string& path,
                          const pb::cgroup_dir_entry& dir) {
  bool fresh = make_directory(controllers, root, path);
  bool set = options_.mode == CgroupMode::props || options_.mode == CgroupMode::full ||
             (fresh && options_.mode != CgroupMode::none);
  UniqueFd fd(::openat(root, relative_cgroup(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno(Failure::environment, cgroup_object(controllers, path), "it cannot be opened", errno);
  if (fresh && controllers.empty()) enable_controllers(root, path, missing_controllers(fd.get(), dir));
  if (set) apply_properties(fd.get(), cgroup_object(controllers, path), dir);
  thaw(fd.get(), dir);
  for (const auto& child : dir.children()) {
    if (child.dir_name().empty() || child.dir_name() == ".." || child.dir_name().find('/') != std::string::npos)
      throw Error(Failure::image, "cgroup.img", "directory \"" + child.dir_name() + "\" is impossible");
    make(controllers, root, path + "/" + child.dir_name(), child);
  }
  if (set && has_limits(dir)) limited_.push_back({std::move(fd), cgroup_object(controllers, path), &dir});
}

void CgroupRestorer::set_limits() {
  for (const Limited& l : limited_) apply_limits(l.dir.get(), l.object, *l.entry);
  limited_.clear();
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
    UniqueFd fd(::openat(hierarchies_.root(controllers), relative_cgroup(file), O_WRONLY | O_CLOEXEC));
    std::string text = format("%d", id.value);
    if (!fd || !write_exact(fd.get(), text.data(), text.size()))
      throw_errno(Failure::environment, format("pid %d", id.value),
                  "it cannot be moved into " + cgroup_object(controllers, path), errno,
                  "make the cgroup, or use --manage-cgroups=ignore");
  }
}

}  // namespace nsr
