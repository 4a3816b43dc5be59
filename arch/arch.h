// What the engine asks of a CPU architecture. One folder an architecture implements it; no #if elsewhere.
#pragma once

#include <sys/user.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/ids.h"

namespace nsr::pb {
class core_entry;
}

namespace nsr::arch {

/// Size of a program record (engine/trace/program.h), which the stub knows.
inline constexpr size_t kRecordSize = 64;

/// General registers of a stopped thread, as PTRACE_GETREGSET(NT_PRSTATUS) gives them.
using Registers = user_regs_struct;

RemoteAddr ip(const Registers& r);
RemoteAddr sp(const Registers& r);
void set_ip(Registers& r, RemoteAddr to);
/// What the interrupted syscall left: nothing when the thread was not in a syscall.
struct SyscallState {
  long nr;
  long result;
};
std::optional<SyscallState> interrupted_syscall(const Registers& r);

/// Registers for running one syscall at a `syscall` instruction of the target; the rest is kept from r.
Registers at_syscall(const Registers& r, RemoteAddr insn, long nr, std::span<const uint64_t> args);
/// Registers for running a program by the stub.
Registers at_program(const Registers& r, RemoteAddr stub, RemoteAddr program);
/// Registers for jumping to code; nothing else changes, no syscall is restarted.
Registers at_code(const Registers& r, RemoteAddr code);
long syscall_result(const Registers& r);
/// The same with another result of the syscall that has just ended.
Registers with_result(const Registers& r, long result);
/// Whether a syscall stop is the one before this call with this first argument.
bool enters_call(const Registers& r, long nr, uint64_t first);

/// The position-independent stub that runs programs (engine/trace/program.h). Needs one executable page.
std::span<const std::byte> stub();
/// Index of the record at which a program that started at `program` has stopped: its size when it ran to the end.
size_t program_position(const Registers& r, RemoteAddr program);

/// Starts a root process: clone3 with these args whose child begins at the stub. Never returns in the child.
/// Returns the pid or -errno. The child's stack in args must be a program prepared for a clone child.
long clone_into_stub(void* clone_args, size_t size, RemoteAddr stub);

/// Machine code that makes a frozen thread survive the death of the engine. All of it leaves every register but the
/// stack pointer's memory alone: after it ran the thread is as it was.
struct ThreadState {
  Registers regs;        ///< as the thread was stopped
  uint64_t signal_mask;  ///< its own signal mask
};
/// The borrowing code: blocks signals, maps an area of area_size bytes shared and anonymous, makes all but its first
/// code_size bytes writable instead of executable, makes a socketpair whose numbers go to area + code_size, closes the
/// second; then undoes it all and continues the thread. The engine interposes at its syscall stops (kBorrow*).
struct BorrowCode {
  std::vector<std::byte> code;
  RemoteAddr undo;  ///< where the undoing half begins; expects the area's address in the register area_in() reads
};
BorrowCode borrow_code(RemoteAddr at, const ThreadState& self, uint64_t area_size, uint64_t code_size);
/// self: the thread's own registers; signals that arrive in the undoing half find its own stack.
Registers at_undo(const Registers& self, const BorrowCode& code, RemoteAddr area);
/// Syscalls of the borrowing half in order, and of the undoing half.
inline constexpr int kBorrowCalls = 5;  ///< rt_sigprocmask, mmap, mprotect, socketpair, close
inline constexpr int kUndoCalls = 2;    ///< close, munmap (then rt_sigprocmask and the thread's own registers)

/// Entry of a thread into its program, and the way back when the engine is gone: `enter` blocks signals and starts the
/// program; `leave` (reached by a kLeave record) counts down `counter`, closes socket_fd when it was the last, restores
/// flags, mask and registers and continues the thread.
struct ThreadCode {
  std::vector<std::byte> code;
  uint32_t leave_offset;
  uint32_t own_offset;  ///< the last part of leave: own mask, then own registers; expects own stack pointer and flags
};
ThreadCode thread_code(RemoteAddr at, const ThreadState& self, RemoteAddr stub, RemoteAddr program, RemoteAddr counter,
                       int socket_fd, RemoteAddr flags_slot);
inline constexpr size_t kThreadCodeSize = 384;
/// The registers with an interrupted syscall rewound by hand, as `leave` uses them.
Registers rewound(const Registers& r);

/// The same with the syscall issued anew from its own number, for a thread whose restart block is lost.
Registers reissued(const Registers& r);

/// Code that jumps to a far address and touches no register.
std::vector<std::byte> jump_to(RemoteAddr target);
// ---- interrupted system calls
/// For a thread that a mere stop would make see EINTR: registers with which the kernel issues the call again, unless a
/// signal with a handler comes first. Nothing for every other thread.
std::optional<Registers> without_interruption(const Registers& r);
std::array<uint64_t, 6> syscall_arguments(const Registers& r);
/// What is left of the timeout of epoll_wait(2) or epoll_pwait(2), whole milliseconds rounded up, at least 1; -1 for
/// other calls and without a timeout. It lies in a register, which set_timeout_ms writes.
int remaining_timeout_ms(const Registers& r, uint64_t slept_ns);
void set_timeout_ms(Registers& r, int milliseconds);
/// For a call that is issued again in full and takes a relative timeout from a struct timespec: which argument points
/// to it. The kernel reads it at entry only.
std::optional<size_t> timespec_argument(const Registers& r);
void set_argument(Registers& r, size_t index, uint64_t value);
/// Memory under the stack that a thread in a system call does not use (below the red zone), n bytes.
RemoteAddr unused_stack(const Registers& r, size_t n);
/// Whether the kernel's note of what is left of the call (-ERESTART_RESTARTBLOCK) is needed to go on.
bool has_lost_restart(const Registers& r);
/// The number of such a call. After an earlier interruption it is only in the code: `before` ends at the syscall
/// instruction. Nothing when it cannot be told.
std::optional<long> restarted_number(const Registers& r, std::span<const std::byte> before);
inline constexpr size_t kNumberDistance = 32;  ///< bytes of code to look at
inline constexpr size_t kSyscallInsnSize = 2;
/// Registers inside call nr with this raw result, for a stop in signal delivery; and behind a call that has ended.
Registers as_call(const Registers& r, long nr, long result);
Registers ended_call(const Registers& r, long result);

/// A `syscall` instruction in this code; nothing when there is none.
std::optional<size_t> find_syscall_insn(std::span<const std::byte> code);

// ---- images
/// Registers and extended state to the message and back. xsave is the layout of PTRACE_GETREGSET(NT_X86_XSTATE),
/// perhaps without its end. The caller of to_image adds thread_info.clear_tid_addr.
void to_image(const Registers& regs, std::span<const std::byte> xsave, pb::core_entry& core);
struct FromImage {
  Registers regs;
  std::vector<std::byte> xsave;  ///< in this host's layout
  uint64_t clear_tid;
};
/// Throws Error(image) when the message is of another architecture, incomplete, or holds state this CPU lacks.
/// whole_xsave: the area as it was dumped when the message cannot hold all of it (AMX), else empty.
FromImage from_image(const pb::core_entry& core, const std::string& whole_xsave, const std::string& object);

/// Whether the extended state must be preceded by executing an instruction in the thread (AMX), and that code.
bool needs_expansion(std::span<const std::byte> xsave);
std::span<const std::byte> expansion_code();
/// What that code finds at the address of its program, aligned to its size.
std::span<const std::byte> expansion_operand();
/// The syscall by which a process asks to be allowed that state, before its threads exist (arch_prctl(2), Linux 5.16).
struct PermissionCall {
  long nr;
  uint64_t arg[2];
};
PermissionCall expansion_permission();
/// The local descriptor table of a process, where the CPU has one: call nr with (read, buffer, size) gives its bytes, 8
/// an entry; with (write, what local_descriptor made, its size) it sets one entry.
struct LocalDescriptorCalls {
  long nr;
  uint64_t read, write;
};
LocalDescriptorCalls local_descriptor_calls();
std::array<uint32_t, 4> local_descriptor(uint32_t entry, uint64_t descriptor);
inline constexpr size_t kLocalDescriptors = 8192 * 8;  ///< bytes of the largest table
/// Register states that such an area says are in use (XSTATE_BV); 0 of an empty one.
uint64_t states_in_use(std::string_view xsave);
/// Size of the extended state area on this CPU.
size_t xsave_size();
/// Of the part of it that holds what most threads use; and whether an area of that size does not hold all that is in
/// use.
size_t usual_xsave_size();
bool is_cut_off(std::span<const std::byte> xsave);
/// Whether programs can use protection keys (pkeys(7)) here.
bool has_protection_keys();

}  // namespace nsr::arch
