#include "engine/dump/tree_images.h"

#include <linux/kcmp.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/descriptors/table.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"

namespace nsr {
namespace {

/// Namespace ids in the order of their discovery; the engine's own come first.
enum NamespaceId : uint32_t { kPidNs = 1, kNetNs, kIpcNs, kUtsNs, kMntNs, kUserNs, kCgroupNs, kTimeNs };

void set_namespaces(pb::task_kobj_ids_entry& ids) {
  ids.set_pid_ns_id(kPidNs);
  ids.set_net_ns_id(kNetNs);
  ids.set_ipc_ns_id(kIpcNs);
  ids.set_uts_ns_id(kUtsNs);
  ids.set_mnt_ns_id(kMntNs);
  ids.set_user_ns_id(kUserNs);
  ids.set_cgroup_ns_id(kCgroupNs);
  ids.set_time_ns_id(kTimeNs);
}

/// Namespaces that a task must have in common with the engine. Pid and mount namespaces are made anew by ns-restore;
/// paths are checked file by file.
void check_namespaces(HostPid pid) {
  static constexpr const char* kKinds[] = {"net", "ipc", "uts", "user", "cgroup"};
  for (const char* kind : kKinds) {
    auto theirs = read_link(format("/proc/%d/ns/%s", pid.value, kind));
    auto ours = read_link(format("/proc/self/ns/%s", kind));
    if (theirs && ours && *theirs != *ours)
      throw Error(Failure::unsupported, format("pid %d", pid.value),
                  format("it lives in a %s namespace of its own, which cannot be dumped from outside yet", kind),
                  format("run the engine inside that namespace: nsenter -t %d --%s ns-engine dump ...", pid.value,
                         kind == std::string("cgroup") ? "cgroup" : kind));
  }
}

struct Ids {
  int sid = 0, pgid = 0;  ///< inner; 0 = outside of the namespace
  HostPid host_sid, host_pgid;
};

Ids ids_of(HostPid pid) {
  procfs::Status st = procfs::parse_status(procfs::ProcDir(pid).read("status"));
  Ids out;
  if (st.ns_sid.empty()) return out;
  out.sid = st.ns_sid.back();
  out.pgid = st.ns_pgid.back();
  out.host_sid = HostPid(st.ns_sid.front());
  out.host_pgid = HostPid(st.ns_pgid.front());
  return out;
}

}  // namespace

pb::task_kobj_ids_entry engine_ids() {
  pb::task_kobj_ids_entry ids;
  ids.set_vm_id(1);
  ids.set_files_id(1);
  ids.set_fs_id(1);
  ids.set_sighand_id(1);
  set_namespaces(ids);
  return ids;
}

std::vector<TreeEntry> describe_tree(const FrozenTree& tree, bool shell_job) {
  KcmpGroups vm(KCMP_VM), files(KCMP_FILES), fs(KCMP_FS), sighand(KCMP_SIGHAND);
  uint32_t next_vm = 2, next_files = 2, next_fs = 2, next_sighand = 2;
  std::set<HostPid> members;
  for (const auto& t : tree.tasks()) members.insert(t.pid);
  std::map<HostPid, NsPid> inner;
  for (const auto& t : tree.tasks()) inner[t.pid] = t.ns_pid;

  std::vector<TreeEntry> out;
  for (const FrozenTask& t : tree.tasks()) {
    TreeEntry e;
    Ids ids = ids_of(t.pid);
    if (!shell_job && !t.zombie) {
      bool dead_leader = ids.host_sid && !members.count(ids.host_sid) && ::kill(ids.host_sid.value, 0) != 0;
      if (!members.count(ids.host_sid) && !dead_leader)
        throw Error(Failure::unsupported, format("pid %d", t.pid.value),
                    format("its session (leader pid %d) is outside of the tree", ids.host_sid.value),
                    "use --shell-job for a job of a shell, or start it in a session of its own by setsid(1)");
    }
    e.pstree.set_pid(static_cast<uint32_t>(t.ns_pid.value));
    e.pstree.set_ppid(t.parent ? static_cast<uint32_t>(inner[t.parent].value) : 0);
    e.pstree.set_pgid(static_cast<uint32_t>(ids.pgid));
    e.pstree.set_sid(static_cast<uint32_t>(ids.sid));
    if (t.zombie || t.dead_leader) e.pstree.add_threads(static_cast<uint32_t>(t.ns_pid.value));
    for (const auto& th : t.threads) e.pstree.add_threads(static_cast<uint32_t>(th.ns_tid.value));
    if (!t.zombie) {
      check_namespaces(t.pid);
      HostPid at = t.threads.front().tid;
      auto number = [&](KcmpGroups& g, uint32_t& next) {
        uint32_t id = g.group_of({at}, next);
        if (id == next) next++;
        return id;
      };
      e.ids.set_vm_id(number(vm, next_vm));
      uint32_t before = next_files;
      e.ids.set_files_id(number(files, next_files));
      e.first_of_files = next_files != before;
      e.ids.set_fs_id(number(fs, next_fs));
      e.ids.set_sighand_id(number(sighand, next_sighand));
      set_namespaces(e.ids);
    }
    out.push_back(std::move(e));
  }
  return out;
}

uint32_t namespace_image_id(uint32_t clone_flag, uint64_t inode, HostPid task) {
  static constexpr struct {
    uint32_t flag, id;
    const char* name;
  } kTypes[] = {{CLONE_NEWPID, kPidNs, "pid"},          {CLONE_NEWNET, kNetNs, "net"},
                {CLONE_NEWIPC, kIpcNs, "ipc"},          {CLONE_NEWUTS, kUtsNs, "uts"},
                {CLONE_NEWNS, kMntNs, "mnt"},           {CLONE_NEWUSER, kUserNs, "user"},
                {CLONE_NEWCGROUP, kCgroupNs, "cgroup"}, {CLONE_NEWTIME, kTimeNs, "time"}};
  for (const auto& type : kTypes) {
    struct stat st {};
    if (type.flag == clone_flag && ::stat(format("/proc/%d/ns/%s", task.value, type.name).c_str(), &st) == 0 &&
        st.st_ino == inode)
      return type.id;
  }
  return 0;
}

}  // namespace nsr
