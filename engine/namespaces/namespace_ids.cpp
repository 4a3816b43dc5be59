#include "engine/namespaces/namespace_ids.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "engine/base/error.h"
#include "engine/namespaces/user_namespace.h"

namespace nsr {
namespace {

/// 0 where the kernel has no such namespaces.
uint64_t inode_of(const std::string& task, const char* name) {
  struct stat st {};
  return ::stat(("/proc/" + task + "/ns/" + name).c_str(), &st) == 0 ? st.st_ino : 0;
}

/// Namespaces of one thread by a pidfd (Linux 6.11), in half the time that paths of /proc take; those also make the
/// thread's end slow, since the kernel has to forget each of them. Before that by such paths.
class ThreadNamespaces {
 public:
  explicit ThreadNamespaces(HostPid tid)
      : tid_(tid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, tid.value, kPidfdThread))) {}

  uint64_t inode(const NamespaceKind& kind) const {
    struct stat st {};
    const UniqueFd found(pidfd_ ? ::ioctl(pidfd_.get(), request(kind.clone_flag), 0) : -1);
    if (found) return ::fstat(found.get(), &st) == 0 ? st.st_ino : 0;
    return inode_of(std::to_string(tid_.value), kind.name);
  }

 private:
  static constexpr unsigned kPidfdThread = O_EXCL;  // Linux 6.9

  /// PIDFD_GET_*_NAMESPACE of <linux/pidfd.h>.
  static unsigned long request(uint32_t clone_flag) {
    switch (clone_flag) {
      case CLONE_NEWCGROUP:
        return _IO(0xff, 1);
      case CLONE_NEWIPC:
        return _IO(0xff, 2);
      case CLONE_NEWNS:
        return _IO(0xff, 3);
      case CLONE_NEWNET:
        return _IO(0xff, 4);
      case CLONE_NEWUTS:
        return _IO(0xff, 10);
      default:
        return 0;
    }
  }

  HostPid tid_;
  UniqueFd pidfd_;
};

uint32_t engine_id(const NamespaceKind& kind) { return static_cast<uint32_t>(&kind - kNamespaceKinds) + 1; }

void refuse_unknown(const NamespaceKind& kind, HostPid pid) {
  if (kind.clone_flag != CLONE_NEWCGROUP) return;
  throw Error(
      Failure::unsupported, format("pid %d", pid.value),
      format("it lives in a %s namespace of its own, which cannot be dumped from outside yet", kind.name),
      format("run the engine inside that namespace: nsenter -t %d --%s ns-engine dump ...", pid.value, kind.name));
}

}  // namespace

NamespaceIds::NamespaceIds() {
  for (const NamespaceKind& kind : kNamespaceKinds)
    tree_[kind.clone_flag] = {inode_of("self", kind.name), engine_id(kind)};
}

pb::task_kobj_ids_entry NamespaceIds::of_engine() const {
  pb::task_kobj_ids_entry ids;
  ids.set_vm_id(1);
  ids.set_files_id(1);
  ids.set_fs_id(1);
  ids.set_sighand_id(1);
  for (const NamespaceKind& kind : kNamespaceKinds) kind.set_id(ids, engine_id(kind));
  return ids;
}

void NamespaceIds::set_root(HostPid pid, NsPid inner) {
  const std::string task = std::to_string(pid.value);
  bool pidns_of_launcher = inner != NsPid(1) && inode_of(task, "pid") != tree_[CLONE_NEWPID].first;
  uint32_t next = std::size(kNamespaceKinds) + 1;
  for (const NamespaceKind& kind : kNamespaceKinds) {
    uint64_t inode = inode_of(task, kind.name);
    auto& [known, id] = tree_[kind.clone_flag];
    if (inode == known) continue;
    refuse_unknown(kind, pid);
    known = inode;
    if ((kind.clone_flag == CLONE_NEWPID || kind.clone_flag == CLONE_NEWNS) && pidns_of_launcher) continue;
    id = next++;
  }
  if (own(CLONE_NEWUSER)) users_ = user_map_of(pid);
}

void NamespaceIds::set(HostPid pid, pb::task_kobj_ids_entry& ids) const {
  const std::string task = std::to_string(pid.value);
  for (const NamespaceKind& kind : kNamespaceKinds) {
    const auto& [inode, id] = tree_.at(kind.clone_flag);
    if (inode_of(task, kind.name) != inode)
      throw Error(Failure::unsupported, format("pid %d", pid.value),
                  format("it lives in another %s namespace than the root task of the tree", kind.name),
                  "dump it by itself, or its tree without it");
    kind.set_id(ids, id);
  }
  if (inode_of(task, "pid_for_children") != tree_.at(CLONE_NEWPID).first)
    throw Error(Failure::unsupported, format("pid %d", pid.value),
                "its children would be born in another pid namespace than its own");
}

const char* NamespaceIds::other_kind(HostPid tid, bool shares_fs) const {
  // unshare(2) and setns(2): who changes its mount namespace has an own working directory
  const uint32_t kinds = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | (shares_fs ? 0 : CLONE_NEWNS);
  const ThreadNamespaces of_thread(tid);
  for (const NamespaceKind& kind : kNamespaceKinds)
    if ((kind.clone_flag & kinds) && of_thread.inode(kind) != tree_.at(kind.clone_flag).first) return kind.name;
  return nullptr;
}

uint32_t NamespaceIds::find(uint32_t clone_flag, uint64_t inode) const {
  auto at = tree_.find(clone_flag);
  return at != tree_.end() && at->second.first == inode ? at->second.second : 0;
}

bool NamespaceIds::own(uint32_t clone_flag) const {
  const NamespaceKind* kind = namespace_kind(clone_flag);
  return kind && tree_.at(clone_flag).second != engine_id(*kind);
}

uint32_t NamespaceIds::all_own() const {
  uint32_t flags = 0;
  for (const NamespaceKind& kind : kNamespaceKinds)
    if (own(kind.clone_flag)) flags |= kind.clone_flag;
  return flags;
}

std::string external_namespace_key(const std::vector<std::string>& external, const UniqueFd& namespace_fd,
                                   const char* kind) {
  struct stat st {};
  if (::fstat(namespace_fd.get(), &st)) return {};
  std::string prefix = format("%s[%lu]:", kind, static_cast<unsigned long>(st.st_ino));
  std::string key;
  for (const std::string& text : external)
    if (text.starts_with(prefix)) key = text.substr(prefix.size());
  return key;
}

}  // namespace nsr
