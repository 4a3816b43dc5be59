#include "engine/namespaces/mount_namespace.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/base/run_program.h"
#include "engine/procfs/mountinfo.h"
#include "engine/procfs/reader.h"
#include "mnt.pb.h"
#include "nsr-mnt.pb.h"

namespace nsr {
namespace {

const Logger log("mounts");
using Mounts = std::vector<procfs::MountInfo>;

uint32_t kernel_device(const procfs::MountInfo& m) { return m.major << 20 | m.minor; }

std::string object_of(const std::string& mountpoint) { return "mount " + mountpoint; }

struct FileSystem {
  const char* name;
  pb::fstype type;
  bool made_anew;  ///< a new instance can take its place
};
constexpr FileSystem kFileSystems[] = {
    {"proc", pb::PROC, true},        {"sysfs", pb::SYSFS, true},      {"devtmpfs", pb::DEVTMPFS, false},
    {"tmpfs", pb::TMPFS, true},      {"devpts", pb::DEVPTS, true},    {"mqueue", pb::MQUEUE, true},
    {"cgroup2", pb::CGROUP2, true},  {"cgroup", pb::CGROUP, false},   {"overlay", pb::OVERLAYFS, false},
    {"debugfs", pb::DEBUGFS, false}, {"tracefs", pb::TRACEFS, false}, {"binfmt_misc", pb::BINFMT_MISC, false},
};

const FileSystem* file_system(const std::string& name) {
  for (const FileSystem& fs : kFileSystems)
    if (name == fs.name) return &fs;
  return nullptr;
}

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

/// Superblock options without the words that are flags.
std::string data_of(const std::string& options) {
  std::string out;
  for (size_t at = 0, end; at <= options.size(); at = end + 1) {
    end = std::min(options.find(',', at), options.size());
    std::string word = options.substr(at, end - at);
    if (!word.empty() && word != "rw" && word != "ro") out += (out.empty() ? "" : ",") + word;
  }
  return out;
}

Mounts mounts_of(const std::string& text, const std::string& object) {
  auto mounts = procfs::parse_mountinfo(text);
  if (!mounts) throw Error(Failure::environment, object, "a line of it cannot be understood");
  return *mounts;
}

Mounts own_mounts() {
  return mounts_of(read_file("/proc/thread-self/mountinfo").value_or(""), "/proc/thread-self/mountinfo");
}

/// Two lines of the same mount in a namespace and its copy.
bool same(const procfs::MountInfo& a, const procfs::MountInfo& b) {
  return a.mountpoint == b.mountpoint && kernel_device(a) == kernel_device(b) && a.root == b.root;
}

bool contains(const Mounts& list, const procfs::MountInfo& m) {
  return std::any_of(list.begin(), list.end(), [&](const auto& other) { return same(m, other); });
}

/// Where the dumper sees the root of a mount of a file system that it has mounted as well; empty when it does not.
std::string bind_path(const procfs::MountInfo& m, const Mounts& ours) {
  for (const procfs::MountInfo& o : ours) {
    if (kernel_device(o) != kernel_device(m)) continue;
    std::string above = o.root == "/" ? "" : o.root;
    if (m.root != o.root && m.root.compare(0, above.size() + 1, above + "/") != 0) continue;
    std::string rest = m.root == o.root ? "" : m.root.substr(above.size());
    return (o.mountpoint == "/" && !rest.empty() ? "" : o.mountpoint) + rest;
  }
  return {};
}

void write_mountpoints(ImageDir& images, uint64_t id, const Mounts& theirs) {
  ImageWriter out = images.create(Img::mountpoints, id);
  for (auto m = theirs.rbegin(); m != theirs.rend(); ++m) {
    pb::mnt_entry e;
    const FileSystem* fs = file_system(m->fs_type);
    e.set_fstype(fs ? fs->type : pb::AUTO);
    if (!fs) e.set_fsname(m->fs_type);
    e.set_mnt_id(static_cast<uint32_t>(m->id));
    e.set_root_dev(kernel_device(*m));
    e.set_parent_mnt_id(static_cast<uint32_t>(m->parent));
    e.set_flags(static_cast<uint32_t>(flags_of(m->options)));
    e.set_root(m->root);
    e.set_mountpoint(m->mountpoint);
    e.set_source(m->source);
    e.set_options(data_of(m->super_options));
    if (m->shared) e.set_shared_id(static_cast<uint32_t>(*m->shared));
    if (m->master) e.set_master_id(static_cast<uint32_t>(*m->master));
    e.set_sb_flags(static_cast<uint32_t>(flags_of(m->super_options) & MS_RDONLY));
    out.write(e);
  }
  out.finish();
}

/// The content of a tmpfs as the format wants it: an archive of the mount alone.
void save_tmpfs(ImageDir& images, const procfs::MountInfo& m, HostPid root_task) {
  std::string directory = format("/proc/%d/root%s", root_task.value, m.mountpoint.c_str());
  ImageWriter out = images.create(Img::tmpfs_dev, kernel_device(m));
  auto result = run_program({"tar", "--create", "--gzip", "--file=/dev/fd/3", "--one-file-system", "--sparse",
                             "--numeric-owner", "--xattrs", "--directory=" + directory, "."},
                            "", out.fd());
  if (result.status) throw Error(Failure::environment, object_of(m.mountpoint), "tar: " + result.errors);
  out.finish();
}

void check_own(const procfs::MountInfo& m, const std::string& bind, const Mounts& theirs) {
  const FileSystem* fs = file_system(m.fs_type);
  const char* why = nullptr;
  if (bind.empty() && (!fs || !fs->made_anew)) why = "it is of a file system that only the tree has mounted";
  if (bind.empty() && m.root != "/") why = "it is a part of a file system that only the tree has mounted";
  if (m.root.ends_with("//deleted")) why = "what is bound there was deleted";
  if (m.fs_type == "proc" && bind.empty() && m.mountpoint != "/proc") why = "it is a proc of its own away from /proc";
  if (why) throw Error(Failure::unsupported, object_of(m.mountpoint), why, "unmount it in the tree's mount namespace");
  auto later =
      std::find_if(theirs.rbegin(), theirs.rend(), [&](const auto& o) { return o.mountpoint == m.mountpoint; });
  if (m.fs_type == "tmpfs" && bind.empty() && later->id != m.id)
    throw Error(Failure::unsupported, object_of(m.mountpoint), "another mount covers it, so its files cannot be read");
}

void attach(const pb::mnt_entry& e, const pb::nsr_own_mount& own) {
  const char* at = e.mountpoint().c_str();
  auto fail = [&](const char* what) { throw_errno(Failure::environment, object_of(e.mountpoint()), what, errno); };
  if (own.has_bind()) {
    if (::mount(own.bind().c_str(), at, nullptr, MS_BIND, nullptr)) fail("it cannot be bound");
    if (::mount(nullptr, at, nullptr, MS_BIND | MS_REMOUNT | e.flags(), nullptr)) fail("its flags cannot be set");
  } else {
    const FileSystem* fs = std::find_if(std::begin(kFileSystems), std::end(kFileSystems),
                                        [&](const FileSystem& f) { return f.type == static_cast<int>(e.fstype()); });
    if (fs == std::end(kFileSystems)) throw Error(Failure::image, object_of(e.mountpoint()), "its type is unknown");
    // A tmpfs is filled before it is read-only; a devpts of its own is one by default.
    if (::mount(e.source().c_str(), at, fs->name, e.flags() & ~MS_RDONLY, e.options().c_str()))
      fail("it cannot be mounted");
  }
}

void load_tmpfs(const ImageDir& images, const pb::mnt_entry& e) {
  std::string name = image_name(Img::tmpfs_dev, e.root_dev());
  UniqueFd fd(::openat(images.fd(), name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(Failure::image, name, "it cannot be opened", errno);
  auto result = run_program({"tar", "--extract", "--gzip", "--file=/dev/fd/3", "--preserve-permissions",
                             "--numeric-owner", "--xattrs", "--directory=" + e.mountpoint()},
                            "", fd.get());
  if (result.status) throw Error(Failure::environment, object_of(e.mountpoint()), "tar: " + result.errors);
}

}  // namespace

void dump_mount_namespace(ImageDir& images, uint64_t id, HostPid root_task) {
  if (procfs::ProcDir(root_task).link("root") != "/") return;
  Mounts theirs = mounts_of(procfs::ProcDir(root_task).read("mountinfo"), format("mountinfo of %d", root_task.value));
  Mounts ours = own_mounts();
  if (theirs.empty() || ours.empty() || !contains(ours, theirs.front()))
    throw Error(Failure::unsupported, format("pid %d", root_task.value),
                "the root of its mount namespace is another than the engine's, which cannot be kept yet");
  write_mountpoints(images, id, theirs);
  pb::nsr_mnt_entry ext;
  for (const procfs::MountInfo& m : theirs) {
    if (contains(ours, m)) continue;
    pb::nsr_own_mount& own = *ext.add_own();
    own.set_mnt_id(static_cast<uint32_t>(m.id));
    std::string bind = bind_path(m, ours);
    if (!bind.empty()) own.set_bind(bind);
    check_own(m, bind, theirs);
    if (m.fs_type == "tmpfs" && bind.empty()) save_tmpfs(images, m, root_task);
  }
  for (auto m = ours.rbegin(); m != ours.rend(); ++m)
    if (!contains(theirs, *m)) ext.add_removed(m->mountpoint);
  images.create(Img::mnt_ext, id).write(ext);
}

bool fill_mount_namespace(const ImageDir& images, uint64_t id, bool own_pidns) {
  if (!images.has(Img::mnt_ext, id)) return own_pidns;
  auto ext = images.one<pb::nsr_mnt_entry>(Img::mnt_ext, id);
  std::map<uint32_t, pb::mnt_entry> entries;
  for (const auto& e : images.all<pb::mnt_entry>(Img::mountpoints, id)) entries[e.mnt_id()] = e;
  for (const std::string& mountpoint : ext.removed())
    if (::umount2(mountpoint.c_str(), MNT_DETACH) && errno != EINVAL && errno != ENOENT)
      log.warn("%s stays mounted: it cannot be unmounted", mountpoint.c_str());
  bool proc = false;
  for (const auto& own : ext.own()) {
    auto at = entries.find(own.mnt_id());
    if (at == entries.end())
      throw Error(Failure::image, image_name(Img::mountpoints, id), format("mount %u is missing", own.mnt_id()));
    const pb::mnt_entry& e = at->second;
    if (own_pidns && e.fstype() == pb::PROC && !own.has_bind()) {
      proc = true;
      continue;
    }
    attach(e, own);
    if (e.fstype() != pb::TMPFS || own.has_bind()) continue;
    load_tmpfs(images, e);
    if (e.flags() & MS_RDONLY &&
        ::mount(nullptr, e.mountpoint().c_str(), nullptr, MS_BIND | MS_REMOUNT | e.flags(), nullptr))
      throw_errno(Failure::environment, object_of(e.mountpoint()), "its flags cannot be set", errno);
  }
  return proc;
}

}  // namespace nsr
