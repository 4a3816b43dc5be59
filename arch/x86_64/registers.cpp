#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "arch/arch.h"

extern "C" {
extern const std::byte nsr_stub_begin[], nsr_stub_end[], nsr_amx_begin[], nsr_amx_end[];
long nsr_clone_into_stub(void* args, size_t size, uint64_t stub);
}

namespace nsr::arch {
namespace {
constexpr uint64_t kPlainFlags = 0x202;  // interrupts on, nothing else: no trap or direction flag of the thread's own
}

RemoteAddr ip(const Registers& r) { return RemoteAddr(r.rip); }
RemoteAddr sp(const Registers& r) { return RemoteAddr(r.rsp); }
void set_ip(Registers& r, RemoteAddr to) { r.rip = to.value; }

std::optional<SyscallState> interrupted_syscall(const Registers& r) {
  if (static_cast<int64_t>(r.orig_rax) < 0) return std::nullopt;
  return SyscallState{static_cast<long>(r.orig_rax), static_cast<long>(r.rax)};
}

Registers at_syscall(const Registers& r, RemoteAddr insn, long nr, std::span<const uint64_t> args) {
  Registers out = at_code(r, insn);
  uint64_t a[6] = {};
  for (size_t i = 0; i < args.size() && i < 6; i++) a[i] = args[i];
  out.rax = static_cast<uint64_t>(nr);
  out.rdi = a[0];
  out.rsi = a[1];
  out.rdx = a[2];
  out.r10 = a[3];
  out.r8 = a[4];
  out.r9 = a[5];
  return out;
}

Registers at_program(const Registers& r, RemoteAddr stub, RemoteAddr program) {
  Registers out = at_code(r, stub);
  out.rsp = program.value;
  out.eflags = kPlainFlags;
  return out;
}

Registers at_code(const Registers& r, RemoteAddr code) {
  Registers out = r;
  out.rip = code.value;
  out.orig_rax = ~0ull;  // no syscall to restart at the diverted place
  return out;
}

long syscall_result(const Registers& r) { return static_cast<long>(r.rax); }

Registers with_result(const Registers& r, long result) {
  Registers out = r;
  out.rax = static_cast<uint64_t>(result);
  return out;
}

bool enters_call(const Registers& r, long nr, uint64_t first) {
  return static_cast<long>(r.orig_rax) == nr && static_cast<long>(r.rax) == -ENOSYS && r.rdi == first;
}

std::span<const std::byte> stub() { return {nsr_stub_begin, static_cast<size_t>(nsr_stub_end - nsr_stub_begin)}; }

size_t program_position(const Registers& r, RemoteAddr program) {
  return static_cast<size_t>(r.rsp - program.value) / kRecordSize;
}

long clone_into_stub(void* clone_args, size_t size, RemoteAddr stub) {
  return nsr_clone_into_stub(clone_args, size, stub.value);
}

std::optional<size_t> find_syscall_insn(std::span<const std::byte> code) {
  for (size_t i = 0; i + 1 < code.size(); i++)
    if (code[i] == std::byte{0x0f} && code[i + 1] == std::byte{0x05}) return i;
  return std::nullopt;
}

std::span<const std::byte> expansion_code() {
  return {nsr_amx_begin, static_cast<size_t>(nsr_amx_end - nsr_amx_begin)};
}

/// LDTILECFG: palette 1, tile 0 with one row of 64 bytes.
std::span<const std::byte> expansion_operand() {
  static constexpr auto kConfig = [] {
    std::array<std::byte, 64> c{};
    c[0] = std::byte{1};
    c[16] = std::byte{64};
    c[48] = std::byte{16};
    return c;
  }();
  return kConfig;
}

}  // namespace nsr::arch
