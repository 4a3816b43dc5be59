#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/namespaces/mount_images.h"
#include "engine/namespaces/mount_namespace.h"
#include "engine/procfs/reader.h"
#include "nsr-mnt.pb.h"
#include "pidns/in_namespace.h"

namespace nsr {
namespace {

const Logger log("mounts");

dev_t device_of(const procfs::MountInfo& m) { return makedev(m.major, m.minor); }

/// Where the dumper sees the root of a mount of a file system that it has mounted as well; empty when it does not.
std::string host_path(const procfs::MountInfo& m, const MountLines& ours) {
  for (const procfs::MountInfo& o : ours) {
    if (kernel_device(o) != kernel_device(m)) continue;
    auto rest = path_below(o.root, m.root);
    if (!rest) continue;
    std::string path = o.mountpoint + (o.mountpoint == "/" || rest->empty() ? "" : "/") + *rest;
    struct stat st {};
    if (::lstat(path.c_str(), &st) == 0 && st.st_dev == device_of(m)) return path;  // nothing covers it
  }
  return {};
}

/// The dump of one namespace.
class MountDump {
 public:
  MountDump(ImageDir& images, uint64_t id, HostPid root_task, const MountPolicy& policy)
      : images_(images), id_(id), root_task_(root_task), policy_(policy) {
    ours_ = mounts_of(read_file("/proc/thread-self/mountinfo").value_or(""), "/proc/thread-self/mountinfo");
    read();
    skip();
    const procfs::MountInfo* root = root_mount();
    if (!root || ours_.empty())
      throw Error(Failure::unsupported, format("pid %d", root_task.value), "its root directory is on no mount");
    root_ = *root;
    own_root_ = !is_copy();
  }

  void run() {
    ImageWriter out = images_.create(Img::mountpoints, id_);
    for (auto m = theirs_.rbegin(); m != theirs_.rend(); ++m) out.write(describe(*m));
    out.finish();
    pb::nsr_mnt_entry ext;
    if (own_root_) ext.set_own_root(true);
    for (const procfs::MountInfo& m : theirs_) {
      if (!own_root_ && has_mount(ours_, m)) continue;
      pb::nsr_own_mount& own = *ext.add_own();
      own.set_mnt_id(static_cast<uint32_t>(m.id));
      if (std::string path = external_key(m).empty() ? host_path(m, ours_) : ""; !path.empty()) own.set_bind(path);
    }
    if (!own_root_)
      for (auto m = ours_.rbegin(); m != ours_.rend(); ++m)
        if (!has_mount(theirs_, *m)) ext.add_removed(m->mountpoint);
    images_.create(Img::mnt_ext, id_).write(ext);
    save_contents(ext);
  }

 private:
  /// All mounts of the namespace, seen from the root task's root; or from the top, where that is a mere directory.
  void read() {
    std::string object = format("mountinfo of pid %d", root_task_.value);
    theirs_ = mounts_of(procfs::ProcDir(root_task_).read("mountinfo"), object);
    if (root_mount()) return;
    from_top_ = true;
    UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    InMountNamespace there(open_namespace(std::to_string(root_task_.value), "mnt"));
    theirs_ = mounts_of(read_file_at(proc.get(), "thread-self/mountinfo").value_or(""), object);
  }

  void skip() {
    for (const std::string& path : policy_.skip)
      std::erase_if(theirs_, [&](const auto& m) { return m.mountpoint != "/" && path_below(path, m.mountpoint); });
  }

  const procfs::MountInfo* root_mount() const {
    for (const procfs::MountInfo& m : theirs_)
      if (m.mountpoint == "/") return &m;
    return nullptr;
  }

  /// A namespace that began as a copy of the dumper's has its root and others of its mounts.
  bool is_copy() const {
    auto common = std::count_if(theirs_.begin(), theirs_.end(), [&](const auto& m) { return has_mount(ours_, m); });
    return has_mount(ours_, root_) && (common > 1 || ours_.size() == 1);
  }

  std::string external_key(const procfs::MountInfo& m) const {
    std::string prefix = "mnt[" + m.mountpoint + "]:", key;
    for (const std::string& text : policy_.external)
      if (text.starts_with(prefix)) key = text.substr(prefix.size());
    return key;
  }

  bool in_root(const procfs::MountInfo& m) const {
    return kernel_device(m) == kernel_device(root_) && path_below(root_.root, m.root);
  }

  pb::mnt_entry describe(const procfs::MountInfo& m) const {
    pb::mnt_entry e = entry_of(m);
    if (!policy_.users.uids.identity()) e.set_options(inner_options(e.options(), policy_.users));
    if (!own_root_) {
      if (!has_mount(ours_, m)) check(m, host_path(m, ours_));
      return e;
    }
    if (std::string key = external_key(m); !key.empty()) {
      e.set_ext_key(key);
    } else if (m.id != root_.id && !in_root(m)) {
      std::string path = host_path(m, ours_);
      check(m, path);
      if (!path.empty()) {
        e.set_ext_key(kFoundMount);
        e.set_source(path);
      }
    }
    // what goes out to the dumper's mounts is their affair; the tree goes on receiving
    bool outer =
        m.shared && std::any_of(ours_.begin(), ours_.end(), [&](const auto& o) { return o.shared == m.shared; });
    if (outer) {
      e.clear_shared_id();
      if (!m.master) e.set_master_id(static_cast<uint32_t>(*m.shared));
      log.warn("%s: what is mounted there does not reach the mounts outside of the tree any more",
               m.mountpoint.c_str());
    }
    return e;
  }

  bool enabled(const std::string& type) const {
    return std::any_of(policy_.enable_fs.begin(), policy_.enable_fs.end(),
                       [&](const std::string& name) { return name == type || name == "all"; });
  }

  void check(const procfs::MountInfo& m, const std::string& path) const {
    const FileSystem* fs = file_system(m.fs_type);
    struct stat st {};
    bool device = ::stat(m.source.c_str(), &st) == 0 && S_ISBLK(st.st_mode);
    bool anew = (fs && (fs->made_anew || fs->type == pb::OVERLAYFS)) || device || enabled(m.fs_type);
    const char* why = nullptr;
    if (path.empty() && !anew) why = "it is of a file system that only the tree has mounted";
    if (m.root.ends_with("//deleted")) why = "what is bound there was deleted";
    if (why)
      throw Error(Failure::unsupported, mount_object(m.mountpoint), why,
                  "unmount it in the tree, or name it with --external 'mnt[" + m.mountpoint + "]:KEY'");
  }

  void save_contents(const pb::nsr_mnt_entry& ext) {
    std::set<uint32_t> saved;
    for (const auto& own : ext.own()) {
      auto m = std::find_if(theirs_.begin(), theirs_.end(),
                            [&](const auto& t) { return t.id == static_cast<int32_t>(own.mnt_id()); });
      if (m->fs_type != "tmpfs" || own.has_bind() || !external_key(*m).empty()) continue;
      if (!saved.insert(kernel_device(*m)).second) continue;
      save(whole(*m));
    }
  }

  /// A mount that shows all of a file system.
  const procfs::MountInfo& whole(const procfs::MountInfo& part) const {
    for (const procfs::MountInfo& m : theirs_)
      if (kernel_device(m) == kernel_device(part) && m.root == "/") return m;
    throw Error(Failure::unsupported, mount_object(part.mountpoint),
                "it is a part of a tmpfs that is mounted nowhere as a whole");
  }

  /// A copy of the mount as it lies there, without what is mounted below.
  UniqueFd look_at(const procfs::MountInfo& m) const {
    UniqueFd root(::open(format("/proc/%d/root", root_task_.value).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    InMountNamespace there(open_namespace(std::to_string(root_task_.value), "mnt"));
    if (!from_top_ && (!root || ::fchdir(root.get()) || ::chroot(".")))
      throw_errno(Failure::environment, mount_object(m.mountpoint), "the root of the tree cannot be entered", errno);
    UniqueFd copy = clone_mount(AT_FDCWD, m.mountpoint);
    struct stat st {};
    if (::fstat(copy.get(), &st) || st.st_dev != device_of(m))
      throw Error(Failure::unsupported, mount_object(m.mountpoint),
                  "another mount covers it, so its files cannot be read");
    return copy;
  }

  void save(const procfs::MountInfo& m) {
    UniqueFd copy = look_at(m), users;
    if (!policy_.users.uids.identity()) users = open_namespace(std::to_string(root_task_.value), "user");
    ImageWriter out = images_.create(Img::tmpfs_dev, kernel_device(m));
    save_tmpfs(copy.get(), m.mountpoint, users.get(), out);
    out.finish();
  }

  ImageDir& images_;
  const uint64_t id_;
  const HostPid root_task_;
  const MountPolicy& policy_;
  MountLines ours_, theirs_;
  procfs::MountInfo root_;
  bool own_root_ = false;
  bool from_top_ = false;  ///< the paths of theirs_ begin at the top of the namespace
};

}  // namespace

void dump_mount_namespace(ImageDir& images, uint64_t id, HostPid root_task, const MountPolicy& policy) {
  MountDump(images, id, root_task, policy).run();
}

}  // namespace nsr
