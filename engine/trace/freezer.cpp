#include "engine/trace/freezer.h"

#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <set>

#include "engine/base/error.h"
#include "engine/base/side_work.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/trace/unstoppable.h"

namespace nsr {
namespace {

constexpr long kPtraceOSuspendSeccomp = 1 << 21;
constexpr long kOptions = PTRACE_O_TRACESYSGOOD | kPtraceOSuspendSeccomp;

bool is_stop_signal(int s) { return s == SIGSTOP || s == SIGTSTP || s == SIGTTIN || s == SIGTTOU; }

/// Threads that the kernel makes in a process for its io_uring: they run no code of it, and an interruption would end
/// the requests that they work on. Their name is not theirs from the beginning, the flags are.
bool is_worker(const procfs::ProcDir& dir, int tid) {
  constexpr uint32_t kIoWorker = 0x10, kUserWorker = 0x4000;  // PF_IO_WORKER, PF_USER_WORKER (6.4)
  auto stat = dir.try_read(format("task/%d/stat", tid));
  return stat && (procfs::parse_stat(*stat).flags & (kIoWorker | kUserWorker));
}

struct Look {
  bool worker = false;  ///< of the kernel
  bool timed = false;   ///< it sleeps in a call with a timeout, or may do so soon
};

/// At a thread that runs still. The kernel's workers have no place in user space, which the file shows that has to be
/// read anyway; only in doubt are the flags looked at.
Look look_at(const procfs::ProcDir& dir, int tid) {
  auto text = dir.try_read_record(format("task/%d/syscall", tid));
  auto call = text ? procfs::parse_current_call(*text) : std::nullopt;
  Look look;
  look.worker = tid != dir.pid().value && !(call && call->ip) && is_worker(dir, tid);
  look.timed = !call || has_timeout(*call);
  return look;
}

/// Seizes one thread; false when it is gone or a zombie. Without the right to suspend seccomp it is seized without.
bool seize(HostPid tid) {
  Tracee tracee(tid);
  int err = tracee.seize(kOptions);
  if (err == EPERM || err == EINVAL) {
    int again = tracee.seize(PTRACE_O_TRACESYSGOOD);
    if (again == 0) return true;
    err = again;
  }
  if (err == 0) return true;
  if (err == ESRCH) return false;
  auto dir = procfs::ProcDir::try_open(tid);
  auto text = dir ? dir->try_read("status") : std::nullopt;
  if (!text) return false;
  procfs::Status st = procfs::parse_status(*text);
  if (st.state == 'Z' || st.state == 'X') return false;
  std::string object = format("pid %d (%s)", tid.value, st.name.c_str());
  if (st.tracer_pid != 0)
    throw Error(Failure::target, object, format("it is traced by pid %d already", st.tracer_pid),
                "detach the debugger or tracer first");
  if (st.kthread) throw Error(Failure::target, object, "it is a kernel thread, which has no process state");
  throw_errno(Failure::target, object, "it may not be traced", err,
              "run as root, or as the same user with CAP_SYS_PTRACE");
}

/// One freeze in progress: what was seized so far, in the order of discovery.
class Freezer {
 public:
  Freezer(std::vector<FrozenTask>& tasks, const Deadline& deadline) : tasks_(tasks), deadline_(deadline) {}

  void run(HostPid root, CgroupFreezer* cgroup) {
    add_task(root, HostPid(0), HostPid(0));
    if (cgroup) stop_at_once(*cgroup);
    // A look that finds nothing new, made while all that is known is stopped, has seen everything.
    for (bool more = true, born = true; more;) {
      more = false;
      for (size_t i = 0; i < tasks_.size(); i++) more |= seize_new_threads(i);
      stop_new();
      more |= forget_ended();
      if (more || born) seen_.assign(tasks_.size(), false);  // who has run since may have left children to others
      born = false;
      for (size_t i = 0; i < tasks_.size(); i++) born |= find_children(i);
      more |= born;
    }
  }

 private:
  void add_task(HostPid pid, HostPid parent, HostPid parent_thread) {
    FrozenTask t;
    t.pid = pid;
    t.parent = parent;
    t.parent_thread = parent_thread;
    tasks_.push_back(std::move(t));
    dirs_.emplace_back(procfs::ProcDir::try_open(pid));
    known_.insert(pid.value);
    waited_.push_back(0);
    interrupted_.push_back(0);
    seen_.push_back(false);
  }

  /// While the cgroup stands still nothing is born, and all can be told to stop before anything runs again: but for the
  /// children that a vfork() waits for (stop_new).
  void stop_at_once(CgroupFreezer& cgroup) {
    cgroup.freeze(deadline_);
    std::set<HostPid> awaited;
    for (size_t i = 0; i < tasks_.size(); i++) {
      seize_new_threads(i);
      if (!tasks_[i].threads.empty()) cgroup.check_member(tasks_[i].pid);
      for (const FrozenThread& th : tasks_[i].threads)
        if (auto child = vfork_child(*dirs_[i], th.tid)) awaited.insert(*child);
      find_children(i);
    }
    for (size_t i = 0; i < tasks_.size(); i++)
      if (!awaited.count(tasks_[i].pid)) interrupt_new({i});
    cgroup.thaw();
  }

  bool seize_new_threads(size_t i) {
    if (!dirs_[i] || tasks_[i].zombie || knows_all_threads(i)) return false;
    bool found = false;
    auto tids = dirs_[i]->try_numbers("task");
    if (!tids && dirs_[i]->alive()) dirs_[i]->numbers("task");  // throws; who has ended is forgotten later
    if (!tids) return false;
    std::erase_if(*tids, [&](int tid) { return known_threads_.count(tid) != 0; });
    std::vector<Look> looks(tids->size());
    SideWork(looks.size(), [&](size_t k) { looks[k] = look_at(*dirs_[i], (*tids)[k]); }).finish();
    for (size_t k = 0; k < looks.size(); k++) {
      const HostPid tid((*tids)[k]);
      if (looks[k].worker || !seize(tid)) continue;
      known_threads_.insert(tid.value);
      FrozenThread& th = tasks_[i].threads.emplace_back();
      th.tid = tid;
      if (looks[k].timed) th.sleep.emplace();
      found = true;
    }
    return found;
  }

  /// All have stopped and the process has no more than these: nobody is there to make another one.
  bool knows_all_threads(size_t i) const {
    const size_t known = tasks_[i].threads.size();
    struct stat list {};
    // proc(5) has "task" linked by each thread of the process, besides "." and its name
    return known > 0 && waited_[i] == known && ::fstatat(dirs_[i]->fd(), "task", &list, 0) == 0 &&
           list.st_nlink == known + 2;
  }

  /// A thread in vfork() stops only after its child has called exec, and so the child must still run: no task is
  /// interrupted before its parent has stopped. Those of one parent are interrupted together.
  void stop_new() {
    std::map<HostPid, std::vector<size_t>> children;
    for (size_t i = 0; i < tasks_.size(); i++)
      if (waited_[i] < tasks_[i].threads.size()) children[tasks_[i].parent].push_back(i);
    std::set<HostPid> waiting;
    for (auto& [parent, list] : children)
      for (size_t i : list) waiting.insert(tasks_[i].pid);
    for (auto& [parent, list] : children)
      if (!waiting.count(parent)) interrupt_new(list);
    for (size_t i = 0; i < tasks_.size(); i++) {  // parents come before their children
      wait_new(i);
      auto at = children.find(tasks_[i].pid);
      if (at != children.end() && waiting.count(tasks_[i].pid)) interrupt_new(at->second);
    }
  }

  void interrupt_new(const std::vector<size_t>& tasks) {
    for (size_t i : tasks)
      for (size_t& k = interrupted_[i]; k < tasks_[i].threads.size(); k++) {
        FrozenThread& th = tasks_[i].threads[k];
        if (th.sleep) th.sleep = mark_sleep(*dirs_[i], th.tid);
        Tracee(th.tid).interrupt();
      }
  }

  void wait_new(size_t i) {
    auto& threads = tasks_[i].threads;
    for (size_t& k = waited_[i]; k < threads.size();) {
      Stop stop = stop_of(tasks_[i].pid, threads[k].tid);
      if (stop.kind == Stop::Kind::exited || stop.kind == Stop::Kind::killed) {
        known_threads_.erase(threads[k].tid.value);
        threads.erase(threads.begin() + static_cast<long>(k));
        interrupted_[i]--;
        continue;
      }
      if (is_stop_signal(stop.signal)) threads[k].stop_signal = stop.signal;
      k++;
    }
  }

  Stop stop_of(HostPid pid, HostPid tid) {
    try {
      return Tracee(tid).wait_interrupted(deadline_);
    } catch (const Error& e) {
      if (e.code() == Failure::timeout) throw unstoppable(pid, tid);
      throw;
    }
  }

  bool find_children(size_t i) {
    if (!dirs_[i] || seen_[i]) return false;
    seen_[i] = true;
    bool found = false;
    std::vector<HostPid> from;
    for (auto& th : tasks_[i].threads) from.push_back(th.tid);
    if (from.empty() || from[0] != tasks_[i].pid) from.push_back(tasks_[i].pid);  // a dead leader may still have some
    std::vector<std::vector<int32_t>> children(from.size());
    SideWork(from.size(), [&](size_t k) {
      auto text = dirs_[i]->try_read(format("task/%d/children", from[k].value));
      if (text) children[k] = procfs::parse_children(*text);
    }).finish();
    for (size_t k = 0; k < from.size(); k++)
      for (int32_t child : children[k])
        if (!known_.count(child)) {
          add_task(HostPid(child), tasks_[i].pid, from[k]);
          found = true;
        }
    return found;
  }

  /// Tasks may end while their elders still run. They are forgotten, and so are the children of the ended, which have
  /// another parent now: whoever of them still belongs to the tree is found there. To be called after stop_new().
  bool forget_ended() {
    std::set<HostPid> ended;
    for (const auto& t : tasks_)
      if (t.threads.empty()) ended.insert(t.pid);
    bool let_go = false;
    for (size_t i = 1; i < tasks_.size();) {
      const FrozenTask& t = tasks_[i];
      bool moved =
          ended.count(t.parent) || (t.parent_thread != t.parent && !known_threads_.count(t.parent_thread.value));
      bool reaped = t.threads.empty() && !(dirs_[i] && dirs_[i]->alive());
      if (moved || reaped) {
        forget(i);
      } else {
        i++;
      }
      let_go |= moved;
    }
    return let_go;
  }

  void forget(size_t i) {
    for (const auto& th : tasks_[i].threads) {
      Tracee(th.tid).detach();
      known_threads_.erase(th.tid.value);
    }
    known_.erase(tasks_[i].pid.value);
    auto at = static_cast<long>(i);
    tasks_.erase(tasks_.begin() + at);
    dirs_.erase(dirs_.begin() + at);
    waited_.erase(waited_.begin() + at);
    interrupted_.erase(interrupted_.begin() + at);
    seen_.erase(seen_.begin() + at);
  }

  std::vector<FrozenTask>& tasks_;
  const Deadline& deadline_;
  std::vector<std::optional<procfs::ProcDir>> dirs_;
  std::vector<size_t> waited_, interrupted_;  ///< of each task: how many of its threads
  std::vector<bool> seen_;                    ///< its children, since the last of the tree was stopped
  std::set<int> known_, known_threads_;
};

}  // namespace

void stop_tree(std::vector<FrozenTask>& tasks, HostPid root, const Deadline& deadline, CgroupFreezer* cgroup) {
  Freezer(tasks, deadline).run(root, cgroup);
}

}  // namespace nsr
