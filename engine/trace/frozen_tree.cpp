#include "engine/trace/frozen_tree.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/trace/unstoppable.h"

namespace nsr {
namespace {

const Logger log("freeze");

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
    if (!dirs_[i] || tasks_[i].zombie) return false;
    bool found = false;
    auto tids = dirs_[i]->try_numbers("task");
    if (!tids && dirs_[i]->alive()) dirs_[i]->numbers("task");  // throws; who has ended is forgotten later
    for (int tid : tids.value_or(std::vector<int>())) {
      if (known_threads_.count(tid)) continue;
      if (tid != tasks_[i].pid.value && is_worker(*dirs_[i], tid)) continue;
      if (!seize(HostPid(tid))) continue;
      known_threads_.insert(tid);
      FrozenThread th;
      th.tid = HostPid(tid);
      tasks_[i].threads.push_back(th);
      found = true;
    }
    return found;
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
        th.sleep = mark_sleep(*dirs_[i], th.tid);
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
    for (HostPid tid : from) {
      auto text = dirs_[i]->try_read(format("task/%d/children", tid.value));
      if (!text) continue;
      for (int32_t child : procfs::parse_children(*text))
        if (!known_.count(child)) {
          add_task(HostPid(child), tasks_[i].pid, tid);
          found = true;
        }
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

/// What is left of a timeout that lies in memory goes to memory that the thread does not use: its own copy may be used
/// again. The thread may be let go at once, with this or with its own pointer.
void shorten_timeout(const FrozenTask& t, FrozenThread& th) {
  auto index = arch::timespec_argument(th.regs);
  if (!index || th.slept_ns == 0) return;
  timespec ts{};
  if (!try_read_memory(t.handle(), RemoteAddr(arch::syscall_arguments(th.regs)[*index]), &ts, sizeof ts)) return;
  constexpr int64_t kSecond = 1000000000;
  int64_t slept = static_cast<int64_t>(th.slept_ns);
  if (ts.tv_sec < 0 || ts.tv_sec > slept / kSecond + 1000000000) return;  // as good as no limit
  int64_t left = std::max<int64_t>(1, ts.tv_sec * kSecond + ts.tv_nsec - slept);
  ts = {left / kSecond, left % kSecond};
  RemoteAddr room = arch::unused_stack(th.regs, sizeof ts);
  if (try_write_memory(t.handle(), room, &ts, sizeof ts)) arch::set_argument(th.regs, *index, room.value);
}

/// Calls that would tell of the stop by EINTR are issued again: at once, so that it holds also when the engine dies.
void keep_unnoticed(const FrozenTask& t, FrozenThread& th, const Tracee& tracee) {
  auto regs = arch::without_interruption(th.regs);
  if (!regs) return;
  th.regs = *regs;
  int left = arch::remaining_timeout_ms(th.regs, th.slept_ns);
  if (left > 0) arch::set_timeout_ms(th.regs, left);
  shorten_timeout(t, th);
  tracee.set_registers(th.regs);
}

/// Ids, state and order of what was stopped.
void fill_in(FrozenTask& t, SleepClock& clock) {
  procfs::ProcDir dir(t.pid);
  procfs::Status st = procfs::parse_status(dir.read("status"));
  t.ns_pid = NsPid(st.ns_pid.empty() ? st.pid : st.ns_pid.back());
  t.zombie = t.threads.empty();
  if (t.zombie) return;
  std::sort(t.threads.begin(), t.threads.end(), [&](const FrozenThread& a, const FrozenThread& b) {
    return (a.tid == t.pid) != (b.tid == t.pid) ? a.tid == t.pid : a.tid < b.tid;
  });
  t.dead_leader = t.threads[0].tid != t.pid;
  bool same_ns = st.ns_pid.size() <= 1;
  for (auto& th : t.threads) {
    Tracee tracee(th.tid);
    th.regs = tracee.registers();
    th.signal_mask = tracee.signal_mask();
    if (th.sleep) th.slept_ns = clock.slept_ns(*th.sleep);
    keep_unnoticed(t, th, tracee);
    if (th.stop_signal) t.stop_signal = th.stop_signal;
    if (same_ns) {
      th.ns_tid = NsPid(th.tid.value);
    } else if (th.tid == t.pid) {
      th.ns_tid = t.ns_pid;
    } else {
      th.ns_tid = NsPid(procfs::parse_status(dir.task(th.tid).read("status")).ns_pid.back());
    }
  }
}

/// Depth-first order, children in the order of their inner ids.
std::vector<FrozenTask> in_order(std::vector<FrozenTask> tasks) {
  std::map<HostPid, std::vector<size_t>> children;
  for (size_t i = 1; i < tasks.size(); i++) children[tasks[i].parent].push_back(i);
  std::vector<FrozenTask> out;
  out.reserve(tasks.size());
  std::vector<size_t> todo{0};
  while (!todo.empty()) {
    size_t i = todo.back();
    todo.pop_back();
    auto it = children.find(tasks[i].pid);
    if (it != children.end()) {
      auto& list = it->second;
      std::sort(list.begin(), list.end(), [&](size_t a, size_t b) { return tasks[a].ns_pid > tasks[b].ns_pid; });
      todo.insert(todo.end(), list.begin(), list.end());
    }
    out.push_back(std::move(tasks[i]));
  }
  return out;
}

}  // namespace

FrozenTree FrozenTree::freeze(HostPid root, const Deadline& deadline, CgroupFreezer* cgroup) {
  FrozenTree tree;
  tree.held_ = true;
  Freezer(tree.tasks_, deadline).run(root, cgroup);
  SleepClock clock;
  for (auto& t : tree.tasks_) fill_in(t, clock);
  tree.tasks_ = in_order(std::move(tree.tasks_));
  size_t threads = 0;
  for (auto& t : tree.tasks_) threads += t.threads.size();
  log.info("stopped %zu tasks, %zu threads", tree.tasks_.size(), threads);
  return tree;
}

FrozenTree::~FrozenTree() {
  if (held_) release(false);
}

FrozenTask* FrozenTree::find(HostPid pid) {
  for (auto& t : tasks_)
    if (t.pid == pid) return &t;
  return nullptr;
}

void FrozenTree::resume() {
  held_ = false;
  release(false);
}

void FrozenTree::resume_stopped() {
  held_ = false;
  release(true);
}

void FrozenTree::release(bool stopped) noexcept {
  // children first: a parent that is let go must not see a child of its own stop
  for (auto t = tasks_.rbegin(); t != tasks_.rend(); ++t) {
    if (stopped && !t->zombie) ::kill(t->pid.value, SIGSTOP);
    for (auto& th : t->threads) {
      try {
        Tracee tracee(th.tid);
        if (th.diverted) {
          tracee.set_signal_mask(th.signal_mask);
          tracee.set_registers(th.regs);
        }
        tracee.detach();
      } catch (const Error& e) {
        log.warn("pid %d could not be resumed by hand and resumes itself: %s", th.tid.value, e.what());
      }
    }
  }
}

void FrozenTree::kill() {
  held_ = false;
  for (auto& t : tasks_)
    if (!t.zombie) ::kill(t.pid.value, SIGKILL);
  std::set<pid_t> left;
  for (const auto& t : tasks_)
    for (const auto& th : t.threads) left.insert(th.tid.value);
  // In the order in which they end: the last thread of a pid namespace's init cannot end before all others in there,
  // its fellow threads too, have been waited for, by us.
  siginfo_t ended{};
  while (!left.empty() && (::waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT | __WALL) == 0 || errno == EINTR))
    std::erase_if(left, [](pid_t tid) {
      int status;
      pid_t got = ::waitpid(tid, &status, __WALL | WNOHANG);
      return got < 0 || (got > 0 && (WIFEXITED(status) || WIFSIGNALED(status)));
    });
}

}  // namespace nsr
