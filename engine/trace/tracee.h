// ptrace of one thread, and the one place where the engine waits for its tracees.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"

namespace nsr {

/// rseq registration of a thread (PTRACE_GET_RSEQ_CONFIGURATION, Linux 5.13). pointer 0 = none.
struct RseqConfig {
  uint64_t pointer = 0;
  uint32_t size = 0, signature = 0, flags = 0, pad = 0;
};

/// What waitpid told about a tracee.
struct Stop {
  enum class Kind { exited, killed, event, syscall, signal };
  HostPid tid;
  Kind kind;
  int signal = 0;  ///< exited: exit code; killed, signal: number; event: the signal of a group stop or SIGTRAP
  int event = 0;   ///< PTRACE_EVENT_*
};

/// A point in time after which waiting fails with Error(timeout). No deadline: waits for ever.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  static Deadline never() { return Deadline(); }
  static Deadline after(std::chrono::milliseconds d) {
    Deadline x;
    x.at_ = Clock::now() + d;
    return x;
  }
  bool limited() const { return at_.has_value(); }
  /// Time left, not below zero.
  std::chrono::nanoseconds left() const;

 private:
  std::optional<Clock::time_point> at_;
};

/// All waiting for tracees. Needs SIGCHLD blocked in the engine's thread (block_sigchld does it once).
class Waits {
 public:
  static void block_sigchld();
  /// Next report of this thread. Throws Error(timeout), or Error(target) when it is not a tracee or child any more.
  static Stop wait(HostPid tid, const Deadline& deadline = Deadline::never());
  /// Next report of any tracee or child; nothing when there are none left.
  static std::optional<Stop> any(const Deadline& deadline = Deadline::never());
};

/// ptrace requests on a thread that this engine traces. Stateless: the owner knows the state the thread is in.
/// Every call but seize and interrupt needs the thread in a ptrace stop. Failures throw Error(target), also when the
/// thread died meanwhile ("it was killed during the operation").
class Tracee {
 public:
  explicit Tracee(HostPid tid) : tid_(tid) {}
  HostPid tid() const { return tid_; }

  /// PTRACE_SEIZE. 0 or errno.
  [[nodiscard]] int seize(long options) const;
  void interrupt() const;
  void resume(int signal = 0) const;             ///< PTRACE_CONT
  void resume_to_syscall(int signal = 0) const;  ///< PTRACE_SYSCALL
  void detach(int signal = 0) const;
  arch::Registers registers() const;
  void set_registers(const arch::Registers& r) const;
  uint64_t signal_mask() const;
  void set_signal_mask(uint64_t mask) const;
  /// As much of the area as is in use.
  std::vector<std::byte> xsave() const;
  /// The I/O ports that ioperm(2) lets it use: bit n is clear for port n; without the set ones at the end. Empty: none.
  std::string io_permissions() const;
  /// 0 or errno (EINVAL: state that the thread has no room for, or that this CPU lacks).
  [[nodiscard]] int set_xsave(const std::vector<std::byte>& area) const;
  RseqConfig rseq() const;
  std::vector<siginfo_t> pending_signals(bool shared) const;
  siginfo_t siginfo() const;
  unsigned long event_message() const;

  /// Waits for the stop of an interrupt; signals that arrive before are delivered as if nothing had happened (the
  /// thread then stops at its handler's first instruction). Returns the stop.
  Stop wait_interrupted(const Deadline& deadline) const;
  /// Runs one syscall at a syscall instruction through two syscall stops. Registers must be restored by the caller.
  long run_syscall(const arch::Registers& base, RemoteAddr insn, long nr, std::initializer_list<uint64_t> args) const;
  /// Runs to the next syscall stop.
  void step_to_syscall_stop() const;
  /// From a syscall stop to a stop inside signal delivery, where the kernel finishes interrupted syscalls.
  void to_event_stop() const;

 private:
  [[noreturn]] void fail(const char* what, int err) const;
  HostPid tid_;
};

/// A pidfd of a process, or of one thread (Linux 6.9) where the process has no leader any more. Empty with errno set.
UniqueFd open_pidfd(HostPid id);

/// Memory of a stopped process. Short transfers throw Error(target).
void read_memory(HostPid pid, RemoteAddr from, void* to, size_t n);
void write_memory(HostPid pid, RemoteAddr to, const void* from, size_t n);
/// Same through /proc/PID/mem, which reaches pages that process_vm_* may not (no permission, special mappings).
void force_read(HostPid pid, RemoteAddr from, void* to, size_t n);
void force_write(HostPid pid, RemoteAddr to, const void* from, size_t n);
/// False instead of an Error.
[[nodiscard]] bool try_read_memory(HostPid pid, RemoteAddr from, void* to, size_t n);
[[nodiscard]] bool try_write_memory(HostPid pid, RemoteAddr to, const void* from, size_t n);

}  // namespace nsr
