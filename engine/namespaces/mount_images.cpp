#include "engine/namespaces/mount_images.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/run_program.h"
#include "engine/base/scanner.h"

namespace nsr {
namespace {

constexpr FileSystem kFileSystems[] = {
    {"proc", pb::PROC, true},       {"sysfs", pb::SYSFS, true},           {"devtmpfs", pb::DEVTMPFS, true},
    {"tmpfs", pb::TMPFS, true},     {"devpts", pb::DEVPTS, true},         {"mqueue", pb::MQUEUE, true},
    {"cgroup2", pb::CGROUP2, true}, {"cgroup", pb::CGROUP, true},         {"overlay", pb::OVERLAYFS, false},
    {"debugfs", pb::DEBUGFS, true}, {"tracefs", pb::TRACEFS, true},       {"binfmt_misc", pb::BINFMT_MISC, true},
    {"pstore", pb::PSTORE, true},   {"securityfs", pb::SECURITYFS, true}, {"fusectl", pb::FUSECTL, true},
};

/// Per-mount options as flags of mount(2).
unsigned long flags_of(const std::string& options) {
  static constexpr struct {
    const char* word;
    unsigned long flag;
  } kWords[] = {{"ro", MS_RDONLY},       {"nosuid", MS_NOSUID},         {"nodev", MS_NODEV},      {"noexec", MS_NOEXEC},
                {"noatime", MS_NOATIME}, {"nodiratime", MS_NODIRATIME}, {"relatime", MS_RELATIME}};
  unsigned long flags = 0;
  for (const auto& w : kWords)
    if (("," + options + ",").find(std::string(",") + w.word + ",") != std::string::npos) flags |= w.flag;
  return flags;
}

/// Each word of options through a function; those that it makes empty go.
template <class Function>
std::string each_option(const std::string& options, Function function) {
  std::string out;
  for (size_t at = 0, end; at <= options.size(); at = end + 1) {
    end = std::min(options.find(',', at), options.size());
    std::string word = function(options.substr(at, end - at));
    if (!word.empty()) out += (out.empty() ? "" : ",") + word;
  }
  return out;
}

/// Superblock options without the words that are flags.
std::string data_of(const std::string& options) {
  return each_option(options, [](const std::string& word) { return word == "rw" || word == "ro" ? "" : word; });
}

}  // namespace

const FileSystem* file_system(const std::string& name) {
  for (const FileSystem& fs : kFileSystems)
    if (name == fs.name) return &fs;
  return nullptr;
}

const FileSystem* file_system(uint32_t type) {
  for (const FileSystem& fs : kFileSystems)
    if (static_cast<uint32_t>(fs.type) == type) return &fs;
  return nullptr;
}

MountLines mounts_of(const std::string& text, const std::string& object) {
  auto mounts = procfs::parse_mountinfo(text);
  if (!mounts) throw Error(Failure::environment, object, "a line of it cannot be understood");
  return *mounts;
}

bool same_mount(const procfs::MountInfo& a, const procfs::MountInfo& b) {
  return a.mountpoint == b.mountpoint && kernel_device(a) == kernel_device(b) && a.root == b.root;
}

bool has_mount(const MountLines& list, const procfs::MountInfo& m) {
  return std::any_of(list.begin(), list.end(), [&](const auto& other) { return same_mount(m, other); });
}

pb::mnt_entry entry_of(const procfs::MountInfo& m) {
  pb::mnt_entry e;
  const FileSystem* fs = file_system(m.fs_type);
  e.set_fstype(fs ? fs->type : pb::AUTO);
  if (!fs) e.set_fsname(m.fs_type);
  e.set_mnt_id(static_cast<uint32_t>(m.id));
  e.set_root_dev(kernel_device(m));
  e.set_parent_mnt_id(static_cast<uint32_t>(m.parent));
  e.set_flags(static_cast<uint32_t>(flags_of(m.options) | (m.unbindable ? MS_UNBINDABLE : 0)));
  e.set_root(m.root);
  e.set_mountpoint(m.mountpoint);
  e.set_source(m.source);
  e.set_options(data_of(m.super_options));
  if (m.shared) e.set_shared_id(static_cast<uint32_t>(*m.shared));
  if (m.master) e.set_master_id(static_cast<uint32_t>(*m.master));
  e.set_sb_flags(static_cast<uint32_t>(flags_of(m.super_options) & MS_RDONLY));
  return e;
}

PlacedMount placed(const pb::mnt_entry& e) {
  PlacedMount m{
      static_cast<int32_t>(e.mnt_id()), static_cast<int32_t>(e.parent_mnt_id()), e.mountpoint(), e.root(), {}, {}};
  if (e.shared_id()) m.shared = static_cast<int32_t>(e.shared_id());
  if (e.master_id()) m.master = static_cast<int32_t>(e.master_id());
  return m;
}

std::string inner_options(const std::string& options, const UserMap& users) {
  return each_option(options, [&](const std::string& word) {
    for (const auto& [key, map] : {std::pair("uid=", &users.uids), std::pair("gid=", &users.gids)}) {
      Scanner in(word);
      if (!in.literal(key)) continue;
      if (auto id = in.number(); id && map->knows(static_cast<uint32_t>(*id)))
        return key + std::to_string(map->inner(static_cast<uint32_t>(*id)));
    }
    return word;
  });
}

UniqueFd mount_overlay(const pb::mnt_entry& e) {
  const char* path = e.mountpoint().c_str();
  if (::mount(e.source().c_str(), path, "overlay", e.flags() & ~static_cast<unsigned long>(MS_UNBINDABLE),
              e.options().c_str()))
    throw_errno(Failure::environment, mount_object(e.mountpoint()), "it cannot be mounted", errno);
  UniqueFd mount(::open(path, O_PATH | O_CLOEXEC));
  if (!mount) throw_errno(Failure::environment, mount_object(e.mountpoint()), "it cannot be opened", errno);
  return mount;
}

void load_tmpfs(const ImageDir& images, const pb::mnt_entry& e, int mount, const MountMakers& makers) {
  if (e.fstype() != pb::TMPFS || !images.has(Img::tmpfs_dev, e.root_dev())) return;
  std::string name = image_name(Img::tmpfs_dev, e.root_dev());
  UniqueFd fd(::openat(images.fd(), name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(Failure::image, name, "it cannot be opened", errno);
  auto result = run_program({"tar", "--extract", "--gzip", "--file=-", "--preserve-permissions", "--same-owner",
                             "--numeric-owner", "--xattrs", "--xattrs-include=*", "--directory=/proc/self/fd/3"},
                            ProgramFiles{.input = fd.get(), .extra = mount, .user_namespace = makers.user_namespace});
  if (result.status) throw Error(Failure::environment, mount_object(e.mountpoint()), "tar: " + result.errors);
}

/// The content of a tmpfs as the format wants it: an archive of the mount alone.
void save_tmpfs(int mount, const std::string& mountpoint, int user_namespace, ImageWriter& out) {
  auto result = run_program({"tar", "--create", "--gzip", "--file=-", "--one-file-system", "--sparse",
                             "--numeric-owner", "--xattrs", "--xattrs-include=*", "--directory=/proc/self/fd/3", "."},
                            ProgramFiles{.output = out.fd(), .extra = mount, .user_namespace = user_namespace});
  if (result.status) throw Error(Failure::environment, mount_object(mountpoint), "tar: " + result.errors);
}

}  // namespace nsr
