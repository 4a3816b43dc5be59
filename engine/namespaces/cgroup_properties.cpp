#include "engine/namespaces/cgroup_properties.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/trace/cgroup_freezer.h"

namespace nsr {
namespace {

const Logger log("cgroups");

template <class Perms>
void set_perms(const struct stat& st, Perms& out) {
  out.set_mode(st.st_mode & 07777);
  out.set_uid(st.st_uid);
  out.set_gid(st.st_gid);
}

void apply_perms(int dir_fd, const char* name, const pb::cgroup_perms& perms, const std::string& object) {
  struct stat st;
  if (::fstatat(dir_fd, name, &st, AT_EMPTY_PATH)) return;
  bool bad = (st.st_uid != perms.uid() || st.st_gid != perms.gid()) &&
             ::fchownat(dir_fd, name, perms.uid(), perms.gid(), AT_EMPTY_PATH);
  if ((st.st_mode & 07777) != perms.mode()) bad |= ::fchmodat(dir_fd, *name ? name : ".", perms.mode(), 0) != 0;
  if (bad)
    log.warn("%s: owner or mode of %s cannot be set: %s", object.c_str(), *name ? name : "it", std::strerror(errno));
}

/// Lists of tasks: only whose they are is a property.
bool is_membership(const std::string& name) {
  return name == "cgroup.procs" || name == "cgroup.threads" || name == "tasks";
}

/// What hinders or slows the making of the tasks and cgroups that are within: a limit may have been set when there
/// were more already.
bool is_limit(const std::string& name) {
  constexpr std::string_view kLimits[] = {"pids.max", "cgroup.max.descendants", "cgroup.max.depth", "cpu.max",
                                          "cpu.cfs_quota_us"};
  return std::ranges::count(kLimits, name) != 0;
}

/// Some files are written in another form than they are read. Empty: nothing to do.
std::string to_write(const std::string& name, const std::string& value) {
  constexpr std::string_view kOom = "oom_kill_disable ";
  if (name == "cgroup.type") return value == "threaded" ? value : std::string();  // the others come of themselves
  if (name == "memory.oom_control" && value.starts_with(kOom)) return value.substr(kOom.size(), 1);
  if (name != "cgroup.subtree_control") return value.empty() && name.starts_with("cpuset.") ? "\n" : value;
  std::istringstream in(value);
  std::string out, word;
  while (in >> word) out.append(out.empty() ? "+" : " +").append(word);
  return out;
}

bool write_at(int dir_fd, const char* name, const std::string& text) {
  UniqueFd fd(::openat(dir_fd, name, O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) >= 0;
}

/// The kernel takes one line a write (io.max has a device a line). devices.list is written by way of two other files:
/// first nothing is allowed.
bool write_property(int dir_fd, const std::string& name, const std::string& text) {
  bool devices = name == "devices.list";
  if (devices && !write_at(dir_fd, "devices.deny", "a")) return false;
  if (text == "\n") return write_at(dir_fd, name.c_str(), text);
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line))
    if (!line.empty() && !write_at(dir_fd, devices ? "devices.allow" : name.c_str(), line)) return false;
  return true;
}

}  // namespace

void collect_properties(int dir_fd, const std::vector<std::string>& names, pb::cgroup_dir_entry& out) {
  struct stat st;
  if (::fstat(dir_fd, &st) == 0) set_perms(st, *out.mutable_dir_perms());
  for (const std::string& name : names) {
    auto value = is_membership(name) && ::faccessat(dir_fd, name.c_str(), F_OK, 0) == 0
                     ? std::string()
                     : read_file_at(dir_fd, name.c_str());
    if (!value) continue;
    while (value->ends_with('\n')) value->pop_back();
    pb::cgroup_prop_entry& p = *out.add_properties();
    p.set_name(name);
    p.set_value(*value);
    if (::fstatat(dir_fd, name.c_str(), &st, 0) == 0) set_perms(st, *p.mutable_perms());
  }
}

namespace {

bool freezes(const pb::cgroup_prop_entry& p) {
  return std::ranges::any_of(kFreezeFiles,
                             [&](const FreezeFile& f) { return p.name() == f.name && p.value() == f.frozen; });
}

}  // namespace

void add_frozen(int dir_fd, pb::cgroup_dir_entry& out) {
  const FreezeFile* file = freeze_file(dir_fd);
  if (!file) return;
  auto* properties = out.mutable_properties();
  for (int i = properties->size(); i-- > 0;)
    if (properties->Get(i).name() == file->name) properties->DeleteSubrange(i, 1);
  pb::cgroup_prop_entry& p = *out.add_properties();
  p.set_name(file->name);
  p.set_value(file->frozen);
}

bool is_saved_frozen(const pb::cgroup_dir_entry& dir) { return std::ranges::any_of(dir.properties(), freezes); }

namespace {

/// Sets one that is not a limit, if it is another. False with errno.
bool apply(int dir_fd, const std::string& object, const pb::cgroup_prop_entry& p) {
  if (is_membership(p.name())) return true;
  auto now = read_file_at(dir_fd, p.name().c_str());
  if (!now) {
    log.warn("%s: this host has no property %s (it was \"%s\")", object.c_str(), p.name().c_str(), p.value().c_str());
    return true;
  }
  while (now->ends_with('\n')) now->pop_back();
  std::string text = to_write(p.name(), p.value());
  return text.empty() || to_write(p.name(), *now) == text || write_property(dir_fd, p.name(), text);
}

Error not_set(const std::string& object, const pb::cgroup_prop_entry& p, int error) {
  return Error(Failure::environment, object,
               "setting " + p.name() + " to \"" + p.value() + "\" failed: " + std::strerror(error),
               "prepare the cgroup by hand and use --manage-cgroups=none");
}

}  // namespace

void apply_properties(int dir_fd, const std::string& object, const pb::cgroup_dir_entry& dir) {
  std::vector<const pb::cgroup_prop_entry*> again;
  for (const pb::cgroup_prop_entry& p : dir.properties()) {
    if (p.name().find('/') != std::string::npos)
      throw Error(Failure::image, "cgroup.img", "property \"" + p.name() + "\" is no file name");
    if (!freezes(p) && !is_limit(p.name()) && !apply(dir_fd, object, p)) again.push_back(&p);
  }
  // of two that limit one another the second may have to be set first: of memory alone, and of memory with swap
  for (const pb::cgroup_prop_entry* p : again)
    if (!apply(dir_fd, object, *p)) throw not_set(object, *p, errno);
  for (const pb::cgroup_prop_entry& p : dir.properties())
    if (p.has_perms()) apply_perms(dir_fd, p.name().c_str(), p.perms(), object);
  if (dir.has_dir_perms()) apply_perms(dir_fd, "", dir.dir_perms(), object);
}

bool has_limits(const pb::cgroup_dir_entry& dir) {
  return std::ranges::any_of(dir.properties(), [](const auto& p) { return is_limit(p.name()); });
}

void apply_limits(int dir_fd, const std::string& object, const pb::cgroup_dir_entry& dir) {
  for (const pb::cgroup_prop_entry& p : dir.properties())
    if (is_limit(p.name()) && !apply(dir_fd, object, p)) throw not_set(object, p, errno);
}

}  // namespace nsr
