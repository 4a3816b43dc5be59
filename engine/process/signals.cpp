#include "engine/process/signals.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "engine/base/error.h"

namespace nsr {

void SigactionReader::add(Program& program, Arena& arena) {
  table_ = arena.alloc(sizeof(KernelSigaction) * (kSignals + 1), 64);
  for (int s = 1; s <= kSignals; s++) {
    if (s == SIGKILL || s == SIGSTOP) continue;
    program.allow(SYS_rt_sigaction, s, 0, table_.value + static_cast<uint64_t>(s) * sizeof(KernelSigaction), 8);
  }
}

void SigactionReader::collect(const Arena& arena, pb::task_core_entry& tc) const {
  const auto* table = arena.local<KernelSigaction>(table_);
  for (int s = 1; s <= kSignals; s++) {
    if (s == SIGKILL || s == SIGSTOP) continue;
    pb::sa_entry& e = *tc.add_sigactions();
    e.set_sigaction(table[s].handler);
    e.set_flags(table[s].flags);
    e.set_restorer(table[s].restorer);
    e.set_mask(table[s].mask);
  }
}

KernelSigaction action_of(const pb::task_core_entry& tc, int signal) {
  int index = signal - 1 - (signal > SIGKILL) - (signal > SIGSTOP);
  if (index < 0 || index >= tc.sigactions_size()) return {};
  const pb::sa_entry& e = tc.sigactions(index);
  return {e.sigaction(), e.flags(), e.restorer(), e.mask()};
}

void emit_sigactions(const pb::task_core_entry& tc, Program& program, Arena& arena) {
  for (int s = 1; s <= kSignals; s++) {
    if (s == SIGKILL || s == SIGSTOP || s == SIGTRAP) continue;
    KernelSigaction sa = action_of(tc, s);
    // the children of the engine begin with the engine's actions: set every one
    program.call(SYS_rt_sigaction, s, arena.put(sa), 0, 8);
  }
}

void to_image(const std::vector<siginfo_t>& queued, pb::signal_queue_entry& out) {
  for (const siginfo_t& si : queued) out.add_signals()->set_siginfo(&si, sizeof si);
}

bool disturbs_programs(const siginfo_t& si) {
  constexpr int kSynchronous[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
  bool fault = std::find(std::begin(kSynchronous), std::end(kSynchronous), si.si_signo) != std::end(kSynchronous);
  return si.si_signo == SIGTRAP || (fault && si.si_code > 0);
}

void emit_queued(const pb::signal_queue_entry& queued, NsPid pid, NsPid tid, Program& program, Arena& arena) {
  for (const auto& entry : queued.signals()) {
    if (entry.siginfo().size() != sizeof(siginfo_t))
      throw Error(Failure::image, format("pid %d", pid.value),
                  "a queued signal in its core image is not 128 bytes long");
    siginfo_t si;
    std::memcpy(&si, entry.siginfo().data(), sizeof si);
    if (disturbs_programs(si)) continue;
    RemoteAddr at = arena.put(si);
    // a task may queue any siginfo to itself (rt_sigqueueinfo(2)), which keeps si_code and the sender
    if (tid.value == 0)
      program.call(SYS_rt_sigqueueinfo, pid, si.si_signo, at);
    else
      program.call(SYS_rt_tgsigqueueinfo, pid, tid, si.si_signo, at);
  }
}

}  // namespace nsr
