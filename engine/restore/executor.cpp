#include "engine/restore/executor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/memory/own_vdso.h"
#include "engine/process/interrupted_call.h"
#include "engine/process/restore_state.h"
#include "engine/process/signals.h"
#include "engine/process/timer_signals.h"
#include "engine/procfs/reader.h"
#include "engine/restore/proc_settings.h"
#include "engine/restore/release_guard.h"

namespace nsr {
namespace {

const Logger log("restore");
constexpr int kStopped = 3;

}  // namespace

Executor::~Executor() {
  if (alive_.empty()) return;
  for (HostPid pid : alive_) ::kill(pid.value, SIGKILL);
  // Reports come in any order: a leader's only after those of its threads. A child that was just born is killed too.
  int status, pid;
  while ((pid = ::waitpid(-1, &status, __WALL)) > 0 || errno == EINTR)
    if (pid > 0 && WIFSTOPPED(status)) ::kill(pid, SIGKILL);
}

void Executor::index(size_t n) {
  NodePrograms& p = programs_[n];
  for (const StoredProgram* s : {&p.build, &p.settle, &p.join, &p.finish})
    if (!s->empty()) by_address_[s->at.value] = {n, -1, s};
  for (const MakerProgram& maker : p.makers) by_address_[maker.program.at.value] = {n, -1, &maker.program};
  for (size_t i = 0; i < p.threads.size(); i++)
    by_address_[p.threads[i].at.value] = {n, static_cast<int>(i) + 1, &p.threads[i]};
  for (const auto& [thread, program] : p.branches)
    by_address_[program.at.value] = {n, static_cast<int>(thread), &program};
}

Executor::Place Executor::place_of(const arch::Registers& regs) const {
  uint64_t sp = arch::sp(regs).value;
  // a fresh child stands in the slot before its program
  auto it = by_address_.upper_bound(sp + sizeof(int64_t));
  if (it != by_address_.begin()) {
    --it;
    if (it->second.program->holds(RemoteAddr(sp))) return {it->second.node, it->second.program, it->second.thread};
  }
  throw Error(Failure::internal, "restore",
              format("a task stopped outside of its program (ip %llx, sp %llx)",
                     static_cast<unsigned long long>(arch::ip(regs).value), static_cast<unsigned long long>(sp)));
}

void Executor::create(BornRoot& root) {
  for (size_t n = 0; n < programs_.size(); n++) index(n);
  root.take_table();
  HostPid pid = root.hand_over();
  alive_.insert(pid);
  start(pid, programs_[0].build);
  size_t branches = 0;
  for (const NodePrograms& p : programs_) branches += p.branches.size();
  wait_all(plan_.nodes.size() + branches);
}

std::vector<HostPid> Executor::threads_of(size_t node) const {
  std::vector<HostPid> out;
  if (plan_.nodes[node].kind == PlanNode::Kind::task)
    for (const MadeThread& th : nodes_[node].threads) out.push_back(th.tid);
  return out;
}

void Executor::wait_all(size_t expected) {
  traps_ = exits_ = 0;
  while (traps_ + exits_ < expected) {
    auto stop = Waits::any();
    if (!stop)
      throw Error(Failure::environment, "restore", "the tree vanished while it was made", "something killed it");
    on_report(*stop);
  }
}

/// Until this one has ended its program.
void Executor::wait_for(HostPid tid) {
  for (size_t before = traps_ + exits_; traps_ + exits_ == before;) on_report(Waits::wait(tid));
}

/// The kernel looks at all tracees for each report of any of them: thousands of threads are waited for one by one.
void Executor::wait_for_threads(HostPid leader) {
  std::vector<int> running;
  for (int tid : procfs::ProcDir(proc_root_.get(), leader).numbers("task")) {
    if (tid == leader.value) continue;
    size_t before = traps_ + exits_;
    if (!alive_.count(HostPid(tid))) on_report(Waits::wait(HostPid(tid)));  // born, which stops it
    if (traps_ + exits_ == before) running.push_back(tid);
  }
  for (int tid : running) wait_for(HostPid(tid));
}

/// Whether the ids in the images are those that the engine itself sees.
bool Executor::sees_ids_of_tree() const {
  struct stat own {};
  struct stat theirs {};
  return ::fstatat(proc_root_.get(), "self/ns/pid", &own, 0) == 0 &&
         ::fstatat(proc_root_.get(), format("%d/ns/pid", root().value).c_str(), &theirs, 0) == 0 &&
         own.st_ino == theirs.st_ino;
}

/// While the next ones are made, the threads that have been born get on: each is stopped by its birth.
void Executor::run_makers(size_t n, bool knows_tids) {
  const NodePrograms& p = programs_[n];
  for (size_t k = 0; k < p.makers.size(); k++) {
    wait_for(nodes_[n].pid);
    start(nodes_[n].pid, k + 1 < p.makers.size() ? p.makers[k + 1].program : p.finish);
    if (!knows_tids) continue;
    for (size_t i : p.makers[k].threads) on_report(Waits::wait(HostPid(task_of(n).threads[i].tid.value)));
  }
}

const PlanNode* Executor::made_as(HostPid pid, PlanNode::Kind kind) const {
  for (size_t n = 0; n < nodes_.size(); n++)
    if (nodes_[n].pid == pid && plan_.nodes[n].kind == kind) return &plan_.nodes[n];
  return nullptr;
}

void Executor::on_report(const Stop& stop) {
  Tracee tracee(stop.tid);
  switch (stop.kind) {
    case Stop::Kind::exited:
    case Stop::Kind::killed:
      if (!alive_.erase(stop.tid)) break;
      if (const PlanNode* task = made_as(stop.tid, PlanNode::Kind::task))
        throw Error(Failure::environment, format("pid %d", task->pid.value),
                    format("it was killed (status %d) while it was restored", stop.signal),
                    "check memory limits and the kernel log");
      exits_++;
      break;
    case Stop::Kind::event:
      alive_.insert(stop.tid);
      tracee.resume();
      break;
    case Stop::Kind::signal:
      if (stop.signal == SIGTRAP) {
        on_trap(stop.tid);
      } else {
        // a zombie in the making gets its signal; anything else in a program is a fault
        if (!made_as(stop.tid, PlanNode::Kind::zombie)) {
          Place p = place_of(tracee.registers());
          fail(p, arch::program_position(tracee.registers(), p.program->at));
        }
        tracee.resume(stop.signal);
      }
      break;
    case Stop::Kind::syscall:
      tracee.resume();
      break;
  }
}

void Executor::on_trap(HostPid tid) {
  arch::Registers regs = Tracee(tid).registers();
  Place place = place_of(regs);
  size_t position = arch::program_position(regs, place.program->at);
  if (position < place.program->source.calls.size()) fail(place, position);
  check_results(place, position);
  MadeNode& node = nodes_[place.node];
  if (node.threads.empty()) node.threads.resize(1 + programs_[place.node].threads.size());
  if (place.thread < 0) {
    node.pid = tid;
    node.threads[0] = {tid};
  } else {
    node.threads[static_cast<size_t>(place.thread)] = {tid};
  }
  traps_++;
}

void Executor::fail(const Place& place, size_t position) {
  const PlanNode& node = plan_.nodes[place.node];
  std::string object = format("pid %d", node.pid.value);
  if (place.thread > 0)
    object += format(" thread %d",
                     set_.tasks[static_cast<size_t>(node.task)].threads[static_cast<size_t>(place.thread)].tid.value);
  const Program& calls = place.program->source.calls;
  if (position >= calls.size()) throw Error(Failure::internal, object, "it crashed while it was restored");
  const Record& r = area_.arena().local<Record>(place.program->at)[position];
  std::string what = calls.note_of(position);
  if (what.empty()) what = format("system call %d", r.nr);
  if (r.nr == SYS_clone3 && r.result == -EEXIST)
    throw Error(Failure::environment, object, what + " failed: this id is taken on this host",
                "use ns-restore, which gives the tree a pid namespace of its own");
  throw_errno(Failure::environment, object, what + " failed",
              r.result == kNotRun ? EFAULT : static_cast<int>(-r.result));
}

void Executor::check_results(const Place& place, size_t) {
  const Record* records = area_.arena().local<Record>(place.program->at);
  for (const ExpectedResult& e : place.program->source.expected)
    if (records[e.index].result != e.value)
      throw Error(Failure::image, format("pid %d", plan_.nodes[place.node].pid.value),
                  format("%s gave %lld of %lld bytes", place.program->source.calls.note_of(e.index).c_str(),
                         static_cast<long long>(records[e.index].result), static_cast<long long>(e.value)),
                  "the pages image is truncated: dump the tree again");
}

void Executor::start(HostPid tid, const StoredProgram& program) {
  Tracee tracee(tid);
  tracee.set_registers(arch::at_program(tracee.registers(), area_.stub(), program.at));
  tracee.resume();
}

void Executor::fill() {
  std::vector<PushJob> jobs;
  for (size_t n = 0; n < nodes_.size(); n++) {
    NodePrograms& p = programs_[n];
    if (p.settle.empty()) continue;
    p.push.pid = nodes_[n].pid;
    if (p.uffd) p.push.uffd = static_cast<int>(area_.arena().local<Record>(p.build.at)[*p.uffd].result);
    jobs.push_back(p.push);
  }
  push_pages(jobs);
  for (size_t n = 0; n < nodes_.size(); n++)
    if (!programs_[n].settle.empty()) start(nodes_[n].pid, programs_[n].settle);
  wait_all(jobs.size());
}

void Executor::join() {
  size_t running = 0;
  for (size_t n = 0; n < nodes_.size(); n++)
    if (!programs_[n].join.empty()) {
      start(nodes_[n].pid, programs_[n].join);
      running++;
    }
  wait_all(running);
  end_helpers();
  stop_tasks();
  for (size_t n = 0; n < nodes_.size(); n++)
    if (plan_.nodes[n].kind == PlanNode::Kind::task)
      apply_proc_settings(set_.tasks[static_cast<size_t>(plan_.nodes[n].task)], proc_root_.get(), nodes_[n].pid);
}

/// Those whose children go to another process first, one such process at a time: the kernel looks for the nearest one
/// that adopts.
void Executor::end_helpers() {
  std::map<size_t, std::vector<HostPid>> adopted;
  std::vector<HostPid> others;
  for (size_t n = 0; n < nodes_.size(); n++) {
    const PlanNode& node = plan_.nodes[n];
    if (node.kind == PlanNode::Kind::helper) (node.adopter ? adopted[*node.adopter] : others).push_back(nodes_[n].pid);
  }
  for (const auto& [adopter, helpers] : adopted) {
    set_adopting(adopter, true);
    end(helpers);
    set_adopting(adopter, false);
  }
  end(others);
}

void Executor::end(const std::vector<HostPid>& helpers) {
  for (HostPid pid : helpers) ::kill(pid.value, SIGKILL);
  wait_all(helpers.size());
}

void Executor::set_adopting(size_t n, bool adopting) {
  if (long r = run_in(n, SYS_prctl, {PR_SET_CHILD_SUBREAPER, adopting ? 1u : 0u}))
    throw_errno(Failure::environment, task_of(n).object(), "making it adopt processes failed", static_cast<int>(-r));
}

/// One call in a task that has its memory and waits for its next program.
long Executor::run_in(size_t n, long nr, std::initializer_list<uint64_t> args) {
  Tracee tracee(nodes_[n].pid);
  return tracee.run_syscall(tracee.registers(), syscall_insn_of(task_of(n).mm), nr, args);
}

bool Executor::is_stopped(size_t n) const {
  return plan_.nodes[n].kind == PlanNode::Kind::task && task_of(n).tc().task_state() == kStopped;
}

/// Stopped tasks stop now, while their parents still drop every signal: those had their SIGCHLD in their first life.
/// Who had taken the report of the stop takes it again. A stopped process runs on for its tracer, and when that lets it
/// go the stop takes effect without another report. The root stops last: its parent is not ours.
void Executor::stop_tasks() {
  RemoteAddr pause{};
  for (size_t n = 1; n < nodes_.size(); n++) {
    const bool continued = plan_.nodes[n].kind == PlanNode::Kind::task && task_of(n).ext.continue_unreported();
    if (!is_stopped(n) && !continued) continue;
    if (!pause) pause = Program().store(area_.arena());
    stop(n, pause);
    if (continued) ::kill(nodes_[n].pid.value, SIGCONT);  // its program drops the signal
    if (!task_of(n).ext.stop_reported()) continue;
    for (size_t m = 0; m < nodes_.size(); m++)
      if (plan_.nodes[m].task == task_of(n).parent)
        run_in(m, SYS_waitid, {P_PID, static_cast<uint64_t>(task_of(n).pid.value), 0, WSTOPPED | WNOHANG | __WALL, 0});
  }
}

/// pause: an empty program, where a thread goes that does not stop.
void Executor::stop(size_t n, RemoteAddr pause) {
  const auto signo = task_of(n).tc().stop_signo();
  const int signal = signo ? static_cast<int>(signo) : SIGSTOP;
  ::kill(nodes_[n].pid.value, SIGSTOP);
  for (size_t i = 0; i < nodes_[n].threads.size(); i++) {
    HostPid tid = nodes_[n].threads[i].tid;
    if (!tid) continue;
    // a group without a parent in its session ignores the stop signals of the terminal
    if (stop_thread(tid, signal, pause)) continue;
    ::kill(nodes_[n].pid.value, SIGSTOP);
    if (!stop_thread(tid, SIGSTOP, pause))
      throw Error(Failure::environment, task_of(n).object(), "it could not be stopped again");
  }
}

/// The first thread gets the SIGSTOP that is on its way, in its place the signal of the first life; the others join.
bool Executor::stop_thread(HostPid tid, int signal, RemoteAddr pause) {
  Tracee tracee(tid);
  const uint64_t mask = tracee.signal_mask();
  tracee.set_registers(arch::at_program(tracee.registers(), area_.stub(), pause));
  tracee.set_signal_mask(0);
  tracee.resume();
  Stop stop = Waits::wait(tid);
  if (stop.kind == Stop::Kind::signal && stop.signal == SIGSTOP) {
    tracee.resume(signal);
    stop = Waits::wait(tid);
  }
  tracee.set_signal_mask(mask);
  return stop.kind == Stop::Kind::event;
}

void Executor::finish() {
  traps_ = exits_ = 0;
  for (size_t n = 0; n < nodes_.size(); n++)
    if (const NodePrograms& p = programs_[n]; !p.finish.empty()) {
      start(nodes_[n].pid, p.makers.empty() ? p.finish : p.makers[0].program);
      for (const auto& [thread, program] : p.branches) start(nodes_[n].threads[thread].tid, p.threads[thread - 1]);
    }
  // no process waits for its end before all others have their threads: it may need what those do then
  const bool knows_tids = sees_ids_of_tree();
  for (size_t n = 0; n < nodes_.size(); n++) run_makers(n, knows_tids);
  for (size_t n = 0; n < nodes_.size(); n++) {
    if (programs_[n].finish.empty()) continue;
    wait_for(nodes_[n].pid);
    if (!programs_[n].threads.empty()) wait_for_threads(nodes_[n].pid);
  }
}

void Executor::release(bool leave_stopped, bool guarded) {
  std::vector<HostPid> tasks;
  for (size_t n = 0; n < nodes_.size(); n++)
    if (plan_.nodes[n].kind == PlanNode::Kind::task) tasks.push_back(worker(task_of(n), nodes_[n]).tid);
  // a single process dies as a whole by PTRACE_O_EXITKILL
  std::optional<ReleaseGuard> guard;
  if (guarded && tasks.size() > 1) guard.emplace(tasks);
  for (size_t n = 0; n < nodes_.size(); n++) {
    if (plan_.nodes[n].kind != PlanNode::Kind::task) continue;
    const ImageTask& t = task_of(n);
    bool stopped = is_stopped(n);
    if (n == 0 ? leave_stopped || stopped : leave_stopped && !stopped)
      ::kill(nodes_[n].pid.value, t.tc().stop_signo() ? static_cast<int>(t.tc().stop_signo()) : SIGSTOP);
  }
  for (size_t n = 0; n < nodes_.size(); n++)
    for (size_t i = nodes_[n].threads.size(); plan_.nodes[n].kind == PlanNode::Kind::task && i-- > 0;)
      Tracee(nodes_[n].threads[i].tid).detach();
  alive_.clear();
  if (guard) guard->done();
}

}  // namespace nsr
