// System calls that a stop of the thread interrupts.

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "arch/arch.h"
#include "arch/process_calls.h"

namespace nsr::arch {
namespace {

constexpr long kErestartnohand = 514, kErestartRestartblock = 516;
constexpr long kNrRestartSyscall = 219;

/// Calls that the kernel ends with EINTR on any interruption, even without a signal, and that have done nothing by then
/// (signal(7)): epoll, System V semaphores, sigtimedwait, asynchronous I/O, sockets with SO_RCVTIMEO or SO_SNDTIMEO.
constexpr std::array<long, 24> kNoticing = {SYS_epoll_wait,
                                            SYS_epoll_pwait,
                                            441 /* epoll_pwait2 */,
                                            SYS_rt_sigtimedwait,
                                            SYS_semop,
                                            SYS_semtimedop,
                                            SYS_io_getevents,
                                            333 /* io_pgetevents */,
                                            SYS_io_uring_enter /* with nothing handed over */,
                                            SYS_read,
                                            SYS_readv,
                                            SYS_write,
                                            SYS_writev,
                                            SYS_recvfrom,
                                            SYS_recvmsg,
                                            SYS_recvmmsg,
                                            SYS_sendto,
                                            SYS_sendmsg,
                                            SYS_sendmmsg,
                                            SYS_accept,
                                            SYS_accept4,
                                            SYS_connect,
                                            SYS_msgrcv,
                                            SYS_msgsnd};

}  // namespace

bool makes_processes(long nr) { return nr == SYS_clone || nr == SYS_clone3 || nr == SYS_fork || nr == SYS_vfork; }

std::optional<Registers> without_interruption(const Registers& r) {
  auto call = interrupted_syscall(r);
  if (!call || call->result != -EINTR) return std::nullopt;
  if (std::find(kNoticing.begin(), kNoticing.end(), call->nr) == kNoticing.end()) return std::nullopt;
  Registers out = r;
  out.rax = static_cast<uint64_t>(-kErestartnohand);
  return out;
}

std::array<uint64_t, 6> syscall_arguments(const Registers& r) { return {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}; }

int remaining_timeout_ms(const Registers& r, uint64_t slept_ns) {
  if (r.orig_rax != SYS_epoll_wait && r.orig_rax != SYS_epoll_pwait) return -1;
  int64_t timeout = static_cast<int32_t>(r.r10);
  if (timeout <= 0) return -1;
  return static_cast<int>(std::max<int64_t>(1, timeout - static_cast<int64_t>(slept_ns / 1000000)));
}

void set_timeout_ms(Registers& r, int milliseconds) { r.r10 = static_cast<uint32_t>(milliseconds); }

std::optional<size_t> timespec_argument(const Registers& r) {
  auto call = interrupted_syscall(r);
  if (!call || call->result != -kErestartnohand) return std::nullopt;
  size_t index = 0;
  switch (call->nr) {
    case SYS_rt_sigtimedwait:
      index = 2;
      break;
    case SYS_semtimedop:
    case 441 /* epoll_pwait2 */:
      index = 3;
      break;
    case SYS_io_getevents:
    case 333 /* io_pgetevents */:
      index = 4;
      break;
    default:
      return std::nullopt;
  }
  return syscall_arguments(r)[index] ? std::optional(index) : std::nullopt;
}

void set_argument(Registers& r, size_t index, uint64_t value) {
  unsigned long long* const places[6] = {&r.rdi, &r.rsi, &r.rdx, &r.r10, &r.r8, &r.r9};
  *places[index] = value;
}

RemoteAddr unused_stack(const Registers& r, size_t n) {
  constexpr uint64_t kRedZone = 128;
  return RemoteAddr((r.rsp - kRedZone - n) & ~15ull);
}

bool has_lost_restart(const Registers& r) {
  auto call = interrupted_syscall(r);
  return call && call->result == -kErestartRestartblock;
}

std::optional<long> restarted_number(const Registers& r, std::span<const std::byte> before) {
  auto call = interrupted_syscall(r);
  if (!call) return std::nullopt;
  if (call->nr != kNrRestartSyscall) return call->nr;
  // `mov $nr, %eax` is b8 imm32; look at the nearest one in front of the syscall instruction
  for (size_t back = 5; back <= before.size(); back++) {
    const std::byte* at = before.data() + before.size() - back;
    if (*at != std::byte{0xb8}) continue;
    uint32_t nr;
    std::memcpy(&nr, at + 1, sizeof nr);
    if (nr == SYS_poll || nr == SYS_nanosleep || nr == SYS_clock_nanosleep || nr == SYS_futex) return nr;
  }
  return std::nullopt;
}

Registers as_call(const Registers& r, long nr, long result) {
  Registers out = r;
  out.orig_rax = static_cast<uint64_t>(nr);
  out.rax = static_cast<uint64_t>(result);
  return out;
}

Registers ended_call(const Registers& r, long result) {
  Registers out = r;
  out.orig_rax = ~0ull;
  out.rax = static_cast<uint64_t>(result);
  return out;
}

}  // namespace nsr::arch
