#include "engine/process/interrupted_call.h"

#include <linux/futex.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "engine/base/error.h"
#include "engine/base/log.h"

namespace nsr {
namespace {

const Logger log("interrupted");
constexpr uint64_t kSecond = 1000000000;

/// Where a call has its relative timeout: an argument that points to a timespec, or milliseconds in the argument
/// itself.
struct Timeout {
  size_t argument = 0;
  bool milliseconds = false;
  std::optional<size_t> remainder;  ///< argument that points to where the kernel writes what is left
};

std::optional<Timeout> timeout_of(long nr, const std::array<uint64_t, 6>& arg) {
  switch (nr) {
    case SYS_nanosleep:
      return Timeout{0, false, arg[1] ? std::optional<size_t>(1) : std::nullopt};
    case SYS_clock_nanosleep:
      if (arg[1] & TIMER_ABSTIME) return std::nullopt;
      return Timeout{2, false, arg[3] ? std::optional<size_t>(3) : std::nullopt};
    case SYS_poll:
      return Timeout{2, true, std::nullopt};
    case SYS_futex:
      if ((arg[1] & FUTEX_CMD_MASK) != FUTEX_WAIT) return std::nullopt;  // the others take a point in time
      return Timeout{3, false, std::nullopt};
    default:
      return std::nullopt;
  }
}

std::optional<uint64_t> read_timespec(HostPid task, uint64_t at) {
  timespec ts{};
  if (!try_read_memory(task, RemoteAddr(at), &ts, sizeof ts)) return std::nullopt;
  return static_cast<uint64_t>(ts.tv_sec) * kSecond + static_cast<uint64_t>(ts.tv_nsec);
}

std::optional<uint64_t> time_left(HostPid task, const FrozenThread& th, const Timeout& t,
                                  const std::array<uint64_t, 6>& arg) {
  if (t.remainder) return read_timespec(task, arg[*t.remainder]);
  if (t.milliseconds && static_cast<int32_t>(arg[t.argument]) < 0) return std::nullopt;
  auto whole = t.milliseconds ? std::optional<uint64_t>(static_cast<uint32_t>(arg[t.argument]) * 1000000ull)
                              : read_timespec(task, arg[t.argument]);
  if (whole) *whole = *whole > th.slept_ns ? *whole - th.slept_ns : 1;
  return whole;
}

bool is_restart(long result) { return result <= -512 && result >= -516; }

}  // namespace

void collect_interrupted_call(HostPid task, const FrozenThread& th, pb::nsr_thread_entry& ext) {
  if (!arch::has_lost_restart(th.regs)) return;
  std::byte before[arch::kNumberDistance];
  uint64_t end = arch::ip(th.regs).value - arch::kSyscallInsnSize;
  size_t known = sizeof before;
  // the call may stand at the start of a mapping
  while (known > 0 && !try_read_memory(task, RemoteAddr(end - known), before + sizeof before - known, known))
    known /= 2;
  auto nr = arch::restarted_number(th.regs, {before + sizeof before - known, known});
  if (!nr && th.sleep && th.sleep->restarted_nr) nr = th.sleep->restarted_nr;
  if (!nr) {
    log.warn("pid %d: thread %d is in a restarted call whose number cannot be told: it will see EINTR", task.value,
             th.tid.value);
    return;
  }
  ext.set_call_nr(static_cast<uint32_t>(*nr));
  auto arg = arch::syscall_arguments(th.regs);
  auto timeout = timeout_of(*nr, arg);
  if (!timeout) return;
  if (auto left = time_left(task, th, *timeout, arg)) ext.set_call_left_ns(*left);
}

arch::Registers resume_interrupted_call(const Tracee& thread, const arch::Registers& regs,
                                        const pb::nsr_thread_entry* ext, RemoteAddr insn, RemoteAddr room,
                                        void* local) {
  if (!arch::has_lost_restart(regs)) return regs;
  auto nr = ext && ext->has_call_nr() ? std::optional<long>(ext->call_nr()) : arch::restarted_number(regs, {});
  if (!nr) return arch::ended_call(regs, -EINTR);
  auto arg = arch::syscall_arguments(regs);
  auto timeout = timeout_of(*nr, arg);
  if (timeout && ext && ext->has_call_left_ns()) {
    uint64_t left = ext->call_left_ns();
    if (timeout->milliseconds) {
      arg[timeout->argument] = std::min<uint64_t>((left + 999999) / 1000000, INT32_MAX);
    } else {
      timespec ts{static_cast<time_t>(left / kSecond), static_cast<long>(left % kSecond)};
      std::memcpy(local, &ts, sizeof ts);
      arg[timeout->argument] = room.value;
    }
  }
  thread.set_registers(arch::at_syscall(thread.registers(), insn, *nr, arg));
  thread.step_to_syscall_stop();
  thread.interrupt();  // the call finds the interruption when it wants to sleep, and leaves a restart block
  thread.resume();
  Stop stop = thread.wait_interrupted(Deadline::never());
  if (stop.kind != Stop::Kind::event)
    throw Error(Failure::environment, format("thread %d", thread.tid().value),
                "it died while its system call was resumed");
  long result = arch::syscall_result(thread.registers());
  return is_restart(result) ? arch::as_call(regs, *nr, result) : arch::ended_call(regs, result);
}

}  // namespace nsr
