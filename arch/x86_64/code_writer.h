// Emits the few x86-64 instructions that the borrowing and leaving code is made of. None of them changes the flags
// unless it says so: the thread's flags must come through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "engine/base/ids.h"

namespace nsr::arch {

/// Register numbers of the instruction encoding.
enum class Reg : uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };

class CodeWriter {
 public:
  explicit CodeWriter(RemoteAddr at) : at_(at) { bytes_.reserve(512); }

  RemoteAddr here() const { return RemoteAddr(at_.value + bytes_.size()); }
  size_t size() const { return bytes_.size(); }
  std::vector<std::byte> take() { return std::move(bytes_); }

  void bytes(std::initializer_list<int> list) {
    for (int b : list) bytes_.push_back(static_cast<std::byte>(b));
  }
  void word(uint64_t v) {
    const auto* little_endian = reinterpret_cast<const std::byte*>(&v);
    bytes_.insert(bytes_.end(), little_endian, little_endian + sizeof v);
  }
  /// mov $value, reg
  void set(Reg reg, uint64_t value) {
    int n = static_cast<int>(reg);
    bytes({0x48 | (n >> 3), 0xb8 | (n & 7)});
    word(value);
  }
  /// mov from, to
  void move(Reg to, Reg from) {
    int t = static_cast<int>(to), f = static_cast<int>(from);
    bytes({0x48 | (t >> 3) | ((f >> 3) << 2), 0x89, 0xc0 | ((f & 7) << 3) | (t & 7)});
  }
  void syscall() { bytes({0x0f, 0x05}); }
  /// Syscall with constant arguments in rdi, rsi, rdx, r10, r8, r9.
  void call(long nr, std::initializer_list<uint64_t> args) {
    static constexpr Reg order[] = {Reg::rdi, Reg::rsi, Reg::rdx, Reg::r10, Reg::r8, Reg::r9};
    size_t i = 0;
    for (uint64_t a : args) set(order[i++], a);
    set(Reg::rax, static_cast<uint64_t>(nr));
    syscall();
  }
  /// jmp through a literal behind the instruction: needs no register
  void jump_to(uint64_t target) {
    bytes({0xff, 0x25, 0, 0, 0, 0});
    word(target);
  }
  /// Overwrites 8 bytes written before.
  void patch(size_t offset, uint64_t v) { std::memcpy(bytes_.data() + offset, &v, 8); }

 private:
  RemoteAddr at_;
  std::vector<std::byte> bytes_;
};

}  // namespace nsr::arch
