#include "engine/restore/last_steps.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/memory/own_vdso.h"
#include "engine/process/interrupted_call.h"
#include "engine/process/restore_state.h"
#include "engine/process/signals.h"
#include "engine/process/timer_signals.h"

namespace nsr {
namespace {

constexpr int kPtraceSetDispatch = 0x4210;  // PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG

/// The kernel gives a thread its large register state (AMX) only when the thread itself uses it.
void expand_state(const Tracee& tracee, SharedArea& area, const std::string& object) {
  auto operand = arch::expansion_operand();
  RemoteAddr at = area.arena().put(operand.data(), operand.size(), operand.size());
  tracee.set_registers(arch::at_program(tracee.registers(), area.expansion_code(), at));
  tracee.resume();
  Stop stop = Waits::wait(tracee.tid());
  if (stop.kind != Stop::Kind::signal || stop.signal != SIGTRAP)
    throw Error(Failure::environment, object, "this CPU or kernel does not let it use AMX tiles");
}

/// Syscall user dispatch (Linux 6.4): after the last call that the engine makes in this thread.
void set_dispatch(const ImageThread& th, HostPid tid, const std::string& object) {
  if (!th.ext || !th.ext->has_dispatch_offset()) return;
  const uint64_t config[4] = {1, th.ext->dispatch_selector(), th.ext->dispatch_offset(), th.ext->dispatch_length()};
  if (::syscall(SYS_ptrace, kPtraceSetDispatch, tid.value, sizeof config, config))
    throw_errno(Failure::environment, object, "setting its syscall user dispatch failed", errno,
                "Linux 6.4 or later is needed");
}

std::vector<std::string> faults(const pb::signal_queue_entry& queue) {
  std::vector<std::string> out;
  for (const auto& e : queue.signals()) {
    siginfo_t si;
    if (e.siginfo().size() == sizeof si && std::memcpy(&si, e.siginfo().data(), sizeof si) && disturbs_programs(si))
      out.push_back(e.siginfo());
  }
  return out;
}

}  // namespace

void LastSteps::prepare_thread(const ImageTask& t, size_t i, MadeThread& thread, RemoteAddr insn) {
  const ImageThread& th = t.threads[i];
  Tracee tracee(thread.tid);
  if (i == 0 && t.ext.has_dead_leader_status()) {
    uint64_t status[1] = {t.ext.dead_leader_status() >> 8 & 0xff};
    thread.last = arch::at_syscall(tracee.registers(), insn, SYS_exit, status);
    return;
  }
  std::string object = format("pid %d thread %d", t.pid.value, th.tid.value);
  arch::FromImage state = arch::from_image(th.core, th.ext ? th.ext->xsave() : std::string(), object);
  if (arch::needs_expansion(state.xsave)) expand_state(tracee, area_, object);
  if (int err = tracee.set_xsave(state.xsave))
    throw_errno(Failure::environment, object, "setting its extended registers failed", err);
  thread.last = state.regs;
  if (!arch::has_lost_restart(state.regs)) return;
  RemoteAddr room = area_.arena().alloc(16);
  thread.last = resume_interrupted_call(tracee, state.regs, th.ext, insn, room, area_.arena().local(room));
}

void LastSteps::start_signalled_timers(size_t n) {
  const ImageTask& t = task_of(n);
  if (t.signalled_timers.empty()) return;
  auto thread = [&](NsPid tid) {
    for (size_t i = 0; i < t.threads.size(); i++)
      if (t.threads[i].tid == tid) return nodes_[n].threads[i].tid;
    return worker(t, nodes_[n]).tid;
  };
  auto call = [&](NsPid tid, long nr, std::initializer_list<uint64_t> args) {
    Tracee tracee(thread(tid));
    return tracee.run_syscall(tracee.registers(), nodes_[n].insn, nr, args);
  };
  RemoteAddr room = area_.arena().alloc(kSignalledTimerRoom);
  for (const SignalledTimer& timer : t.signalled_timers)
    start_signalled_timer(timer, t.pid, thread(NsPid(timer.timer.notify_thread_id())), t.object(), call, room,
                          area_.arena().local(room));
}

/// What the credentials of others who share its memory may have undone meanwhile.
void LastSteps::set_late(size_t n) {
  const ImageTask& t = task_of(n);
  if (memory_users_[t.ids.vm_id()] < 2) return;
  Tracee tracee(worker(t, nodes_[n]).tid);
  if (auto dumpable = dumpable_to_set(t.mm))
    tracee.run_syscall(tracee.registers(), nodes_[n].insn, SYS_prctl, {PR_SET_DUMPABLE, *dumpable});
}

void LastSteps::prepare_sigtrap(size_t n) {
  // The stub ended in a trap, which needs SIGTRAP at its default: the task's own action comes back by a syscall stop.
  const ImageTask& t = task_of(n);
  KernelSigaction trap = action_of(t.tc(), SIGTRAP);
  Tracee tracee(worker(task_of(n), nodes_[n]).tid);
  set_late(n);
  if (trap.handler == 0 && trap.flags == 0 && trap.mask == 0) return;
  long r = tracee.run_syscall(tracee.registers(), nodes_[n].insn, SYS_rt_sigaction,
                              {SIGTRAP, area_.arena().put(trap).value, 0, 8});
  if (r) throw_errno(Failure::environment, t.object(), "setting the action of SIGTRAP failed", static_cast<int>(-r));
}

/// Pending traps and faults, which would have stopped the programs.
void LastSteps::queue_faults(size_t n) {
  const ImageTask& t = task_of(n);
  for (const std::string& info : faults(t.tc().signals_s())) queue(n, worker(t, nodes_[n]).tid, NsPid(0), info);
  for (size_t i = 0; i < t.threads.size(); i++)
    for (const std::string& info : faults(t.threads[i].core.thread_core().signals_p()))
      queue(n, nodes_[n].threads[i].tid, t.threads[i].tid, info);
}

/// A task may send itself a signal of any origin. to: the thread it is for, 0 = the process.
void LastSteps::queue(size_t n, HostPid sender, NsPid to, const std::string& info) {
  const ImageTask& t = task_of(n);
  int32_t signo;
  std::memcpy(&signo, info.data(), sizeof signo);
  for (const MadeThread& th : nodes_[n].threads) Tracee(th.tid).set_signal_mask(~0ull);
  Tracee tracee(sender);
  const auto number = static_cast<uint64_t>(signo), pid = static_cast<uint64_t>(t.pid.value),
             at = area_.arena().put(info.data(), info.size()).value;
  const auto regs = tracee.registers();
  const long r = to.value ? tracee.run_syscall(regs, nodes_[n].insn, SYS_rt_tgsigqueueinfo,
                                               {pid, static_cast<uint64_t>(to.value), number, at})
                          : tracee.run_syscall(regs, nodes_[n].insn, SYS_rt_sigqueueinfo, {pid, number, at});
  if (r)
    throw_errno(Failure::environment, t.object(), format("queueing signal %d failed", signo), static_cast<int>(-r));
  tracee.to_event_stop();
}

bool LastSteps::queues_late(const ImageTask& t) {
  bool late = !t.signalled_timers.empty() || !faults(t.tc().signals_s()).empty();
  for (size_t i = 0; i < t.threads.size() && !late; i++) {
    const auto& own = t.threads[i].core.thread_core().signals_p();
    late = i == 0 ? !faults(own).empty() : own.signals_size() > 0;
  }
  return late;
}

void LastSteps::limit_signals(size_t n) {
  const ImageTask& t = task_of(n);
  if (!queues_late(t) || t.tc().rlimits().rlimits_size() <= RLIMIT_SIGPENDING) return;
  const auto& limit = t.tc().rlimits().rlimits(RLIMIT_SIGPENDING);
  const uint64_t pair[2] = {limit.cur(), limit.max()};
  Tracee tracee(worker(t, nodes_[n]).tid);
  long r = tracee.run_syscall(tracee.registers(), nodes_[n].insn, SYS_prlimit64,
                              {0, RLIMIT_SIGPENDING, area_.arena().put(pair).value, 0});
  if (r)
    throw_errno(Failure::environment, t.object(), "setting its limit of queued signals failed", static_cast<int>(-r));
}

void LastSteps::remove_area(size_t n) {
  const ImageTask& t = task_of(n);
  Tracee tracee(worker(task_of(n), nodes_[n]).tid);
  long r = tracee.run_syscall(tracee.registers(), nodes_[n].insn, SYS_munmap, {area_.start().value, area_.size()});
  if (r) throw_errno(Failure::environment, t.object(), "removing the program area failed", static_cast<int>(-r));
  tracee.to_event_stop();
}

void LastSteps::set_last_registers(size_t n) {
  const ImageTask& t = task_of(n);
  for (size_t i = nodes_[n].threads.size(); i-- > 0;) {
    Tracee tracee(nodes_[n].threads[i].tid);
    tracee.set_registers(nodes_[n].threads[i].last);
    tracee.set_signal_mask(i == 0 ? t.tc().blk_sigset() : t.threads[i].core.thread_core().blk_sigset());
    if (i > 0 || !t.ext.has_dead_leader_status()) set_dispatch(t.threads[i], tracee.tid(), t.object());
  }
}

void LastSteps::run() {
  std::vector<size_t> tasks;
  for (size_t n = 0; n < nodes_.size(); n++)
    if (plan_.nodes[n].kind == PlanNode::Kind::task) tasks.push_back(n);
  for (size_t n : tasks) {
    const ImageTask& t = task_of(n);
    memory_users_[t.ids.vm_id()] += t.threads.size();
    nodes_[n].insn = syscall_insn_of(t.mm);
    if (nodes_[n].insn.value == 0)
      throw Error(Failure::unsupported, t.object(), "it has no vDSO in which the restore could end");
    start_signalled_timers(n);
    for (size_t i = nodes_[n].threads.size(); i-- > 0;) prepare_thread(t, i, nodes_[n].threads[i], nodes_[n].insn);
  }
  // processes may share memory and signal actions: all have ended their programs when the first one changes these
  for (size_t n : tasks) prepare_sigtrap(n);
  for (size_t n : tasks) queue_faults(n);
  for (size_t n : tasks) limit_signals(n);
  for (size_t n : tasks) remove_area(n);
  for (size_t n : tasks) set_last_registers(n);
}

}  // namespace nsr
