#include "engine/trace/frozen_tree.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/side_work.h"
#include "engine/procfs/reader.h"
#include "engine/trace/freezer.h"

namespace nsr {
namespace {

const Logger log("freeze");

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

/// rseq(2): a thread that was stopped inside a critical section goes on at the abort handler. The kernel would see to
/// that at the next return to user mode, if the thread still were at that place then.
void leave_critical_section(HostPid pid, FrozenThread& th) {
  if (th.rseq.pointer == 0 || arch::interrupted_syscall(th.regs)) return;  // sections have no system calls
  uint64_t cs = 0;
  if (!try_read_memory(pid, RemoteAddr(th.rseq.pointer + 8), &cs, sizeof cs) || cs == 0) return;
  struct {
    uint32_t version, flags;
    uint64_t start, length, abort;
  } section{};
  if (!try_read_memory(pid, RemoteAddr(cs), &section, sizeof section)) return;
  if (arch::ip(th.regs).value - section.start < section.length) arch::set_ip(th.regs, RemoteAddr(section.abort));
}

/// ids: of a task in each of its pid namespaces. Before Linux 4.1 the kernel does not tell them.
NsPid innermost(const std::vector<int32_t>& ids, HostPid outer) {
  return NsPid(ids.empty() ? outer.value : ids.back());
}

/// Ids, state and order of what was stopped.
void fill_in(FrozenTask& t, SleepClock& clock) {
  procfs::ProcDir dir(t.pid);
  t.zombie = t.threads.empty();
  if (t.zombie) {
    t.ns_pid = innermost(procfs::parse_status(dir.read("status")).ns_pid, t.pid);
    return;
  }
  std::sort(t.threads.begin(), t.threads.end(), [&](const FrozenThread& a, const FrozenThread& b) {
    return (a.tid == t.pid) != (b.tid == t.pid) ? a.tid == t.pid : a.tid < b.tid;
  });
  t.dead_leader = t.threads[0].tid != t.pid;
  SideWork statuses(t.threads.size(), [&](size_t i) {
    FrozenThread& th = t.threads[i];
    auto text = dir.read_record(format("task/%d/status", th.tid.value));
    th.status = std::make_shared<const procfs::Status>(procfs::parse_status(text));
  });
  for (auto& th : t.threads) {
    Tracee tracee(th.tid);
    th.regs = tracee.registers();
    th.signal_mask = tracee.signal_mask();
    th.rseq = tracee.rseq();
    leave_critical_section(t.handle(), th);
    if (th.sleep) th.slept_ns = clock.slept_ns(*th.sleep);
    keep_unnoticed(t, th, tracee);
    if (th.stop_signal) t.stop_signal = th.stop_signal;
  }
  statuses.finish();
  for (auto& th : t.threads) th.ns_tid = innermost(th.status->ns_pid, th.tid);
  t.ns_pid = innermost(t.threads[0].status->ns_tgid, t.pid);
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

void wait_for_end(HostPid tid) {
  int status = 0;
  pid_t got;
  do got = ::waitpid(tid.value, &status, __WALL);
  while (got < 0 ? errno == EINTR : WIFSTOPPED(status));
}

/// For the threads of a pid namespace's init: the last of them cannot end before all others in there, its fellow
/// threads too, have been waited for, by us, and nobody knows which one that is.
void wait_in_any_order(std::set<pid_t> left) {
  siginfo_t ended{};
  while (!left.empty() && (::waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT | __WALL) == 0 || errno == EINTR))
    std::erase_if(left, [](pid_t tid) {
      int status;
      pid_t got = ::waitpid(tid, &status, __WALL | WNOHANG);
      return got < 0 || (got > 0 && (WIFEXITED(status) || WIFSIGNALED(status)));
    });
}

}  // namespace

FrozenTree FrozenTree::freeze(HostPid root, const Deadline& deadline, CgroupFreezer* cgroup) {
  FrozenTree tree;
  tree.held_ = true;
  stop_tree(tree.tasks_, root, deadline, cgroup);
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
  std::set<pid_t> last;
  for (const auto& t : tasks_) {
    if (t.ns_pid == NsPid(1)) {
      for (const auto& th : t.threads) last.insert(th.tid.value);
      continue;
    }
    if (t.threads.empty()) continue;
    // In the order in which they end, lest each that ends looks at all dead ones before it for a new owner of the
    // memory (mm_update_next_owner() in the kernel); by two, because it is the waiting that throws away their files in
    // /proc. A leader's end is told after that of its threads.
    SideWork(t.threads.size() - 1, [&](size_t i) { wait_for_end(t.threads[i + 1].tid); }).finish();
    wait_for_end(t.threads[0].tid);
  }
  wait_in_any_order(last);
}

}  // namespace nsr
