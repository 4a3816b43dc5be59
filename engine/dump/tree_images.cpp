#include "engine/dump/tree_images.h"

#include <linux/kcmp.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/descriptors/table.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"

namespace nsr {
namespace {

struct Ids {
  int sid = 0, pgid = 0;  ///< inner; 0 = outside of the namespace
  HostPid host_sid, host_pgid;
};

procfs::Status status_of(const FrozenTask& t) {
  if (!t.threads.empty()) return *t.threads.front().status;
  return procfs::parse_status(procfs::ProcDir(t.pid).read("status"));
}

Ids ids_of(const FrozenTask& t) {
  const procfs::Status st = status_of(t);
  Ids out;
  if (st.ns_sid.empty()) return out;
  out.sid = st.ns_sid.back();
  out.pgid = st.ns_pgid.back();
  out.host_sid = HostPid(st.ns_sid.front());
  out.host_pgid = HostPid(st.ns_pgid.front());
  return out;
}

/// What the root has in common with its parent would be torn apart.
void check_outside_sharing(const FrozenTask& task) {
  static constexpr struct {
    int type;
    const char* name;
  } kShared[] = {{KCMP_VM, "memory"}, {KCMP_FILES, "descriptor table"}, {KCMP_FS, "working directory"}};
  const HostPid root = task.handle();
  const procfs::Status st = status_of(task);
  for (const auto& s : kShared)
    if (st.ppid > 0 && ::syscall(SYS_kcmp, root.value, st.ppid, s.type, 0, 0) == 0)
      throw Error(Failure::unsupported, format("pid %d", root.value),
                  format("it shares its %s with its parent pid %d, which is outside of the tree", s.name, st.ppid),
                  format("dump the tree of that one: -t %d", st.ppid));
}

/// The programs of all threads use one descriptor.
void check_tables(const FrozenTask& t) {
  for (size_t i = 1; i < t.threads.size(); i++)
    if (::syscall(SYS_kcmp, t.handle().value, t.threads[i].tid.value, KCMP_FILES, 0, 0) != 0)
      throw Error(Failure::unsupported, format("pid %d thread %d", t.pid.value, t.threads[i].tid.value),
                  "it has a descriptor table of its own (unshare(2), CLONE_FILES)",
                  "dump before it makes one or after it has ended");
}

}  // namespace

std::vector<TreeEntry> describe_tree(const FrozenTree& tree, bool shell_job, NamespaceIds& namespaces) {
  namespaces.set_root(tree.tasks().front().handle(), tree.tasks().front().ns_pid);
  KcmpGroups vm(KCMP_VM), files(KCMP_FILES), fs(KCMP_FS), sighand(KCMP_SIGHAND);
  uint32_t next_vm = 2, next_files = 2, next_fs = 2, next_sighand = 2;
  std::set<HostPid> members;
  for (const auto& t : tree.tasks()) members.insert(t.pid);
  std::map<HostPid, NsPid> inner;
  for (const auto& t : tree.tasks()) inner[t.pid] = t.ns_pid;

  check_outside_sharing(tree.tasks().front());
  std::vector<TreeEntry> out;
  for (const FrozenTask& t : tree.tasks()) {
    TreeEntry e;
    Ids ids = ids_of(t);
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
      HostPid at = t.threads.front().tid;
      auto number = [&](KcmpGroups& g, uint32_t& next) {
        uint32_t id = g.group_of({at}, next);
        if (id == next) next++;
        return id;
      };
      uint32_t before = next_vm;
      e.ids.set_vm_id(number(vm, next_vm));
      e.first_of_vm = next_vm != before;
      before = next_files;
      e.ids.set_files_id(number(files, next_files));
      e.first_of_files = next_files != before;
      e.ids.set_fs_id(number(fs, next_fs));
      e.ids.set_sighand_id(number(sighand, next_sighand));
      namespaces.set(t.handle(), e.ids);
      check_tables(t);
    }
    out.push_back(std::move(e));
  }
  return out;
}

}  // namespace nsr
