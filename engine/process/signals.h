// Signal actions, alternate stacks and queued signals: to messages and back to syscalls.
#pragma once

#include <signal.h>

#include <vector>

#include "core.pb.h"
#include "engine/trace/program.h"

namespace nsr {

/// struct sigaction as the kernel's rt_sigaction takes it (x86-64 and aarch64 with restorer).
struct KernelSigaction {
  uint64_t handler = 0, flags = 0, restorer = 0, mask = 0;
};
inline constexpr int kSignals = 64;

/// Reads all 64 actions: add() appends the calls, collect() fills tc.sigactions (62 entries, 1..64 without SIGKILL and
/// SIGSTOP, in order).
class SigactionReader {
 public:
  void add(Program& program, Arena& arena);
  void collect(const Arena& arena, pb::task_core_entry& tc) const;

 private:
  RemoteAddr table_{};
};

/// Sets every action of tc but that of SIGTRAP, which programs need at its default until the end.
void emit_sigactions(const pb::task_core_entry& tc, Program& program, Arena& arena);
/// Action of one signal in the message.
KernelSigaction action_of(const pb::task_core_entry& tc, int signal);

void to_image(const std::vector<siginfo_t>& queued, pb::signal_queue_entry& out);
/// Signals that cannot be queued as long as programs end in traps: SIGTRAP cannot be blocked then, and the kernel takes
/// a queued fault (si_code > 0) before the trap, blocked or not.
bool disturbs_programs(const siginfo_t& info);
/// Queues signals again in their order, to the process (tid 0) or to one thread, but those that disturb programs.
void emit_queued(const pb::signal_queue_entry& queued, NsPid pid, NsPid tid, Program& program, Arena& arena);

}  // namespace nsr
