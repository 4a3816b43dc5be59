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

/// "cpu memory" is read, "+cpu +memory" is written. Of the types only "threaded" can be asked for. Empty: nothing to
/// do.
std::string to_write(const std::string& name, const std::string& value) {
  if (name == "cgroup.type") return value == "threaded" ? value : std::string();
  if (name != "cgroup.subtree_control") return value;
  std::istringstream in(value);
  std::string out, word;
  while (in >> word) out.append(out.empty() ? "+" : " +").append(word);
  return out;
}

/// io.max has a device a line, and the kernel takes one line a write.
bool write_lines(int fd, const std::string& text) {
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line))
    if (!line.empty() && ::write(fd, line.data(), line.size()) < 0) return false;
  return true;
}

}  // namespace

void collect_properties(int dir_fd, const std::vector<std::string>& names, pb::cgroup_dir_entry& out) {
  struct stat st;
  if (::fstat(dir_fd, &st) == 0) set_perms(st, *out.mutable_dir_perms());
  for (const std::string& name : names) {
    auto value = read_file_at(dir_fd, name.c_str());
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

void apply_properties(int dir_fd, const std::string& object, const pb::cgroup_dir_entry& dir) {
  for (const pb::cgroup_prop_entry& p : dir.properties()) {
    if (p.name().find('/') != std::string::npos)
      throw Error(Failure::image, "cgroup.img", "property \"" + p.name() + "\" is no file name");
    if (freezes(p)) continue;
    auto now = read_file_at(dir_fd, p.name().c_str());
    if (!now) {
      log.warn("%s: this host has no property %s (it was \"%s\")", object.c_str(), p.name().c_str(), p.value().c_str());
      continue;
    }
    while (now->ends_with('\n')) now->pop_back();
    std::string text = to_write(p.name(), p.value());
    if (*now != p.value() && !text.empty()) {
      UniqueFd fd(::openat(dir_fd, p.name().c_str(), O_WRONLY | O_CLOEXEC));
      if (!fd || !write_lines(fd.get(), text))
        throw_errno(Failure::environment, object, "setting " + p.name() + " to \"" + p.value() + "\" failed", errno,
                    "prepare the cgroup by hand and use --manage-cgroups=none");
    }
    if (p.has_perms()) apply_perms(dir_fd, p.name().c_str(), p.perms(), object);
  }
  if (dir.has_dir_perms()) apply_perms(dir_fd, "", dir.dir_perms(), object);
}

}  // namespace nsr
