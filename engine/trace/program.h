// A remote syscall program: plain data, built in ordinary C++, run by the stub (arch/x86_64/stub.S) in a tracee.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "arch/arch.h"
#include "engine/base/ids.h"

namespace nsr {

/// One record as the stub reads it. The stub's rsp walks an array of these.
struct Record {
  int32_t nr;  ///< syscall number; or kEndProgram, kJump, kLeave
  int32_t
      control;  ///< bit 0: failure allowed; the rest (multiple of 8): extra place for the result, relative to `result`
  uint64_t arg[6];
  int64_t result;  ///< what the kernel returned; kNotRun before
};
static_assert(sizeof(Record) == arch::kRecordSize);
inline constexpr int64_t kNotRun = INT64_MIN;
inline constexpr int32_t kEndProgram = -1;
inline constexpr int32_t kJump = -2;
inline constexpr int32_t kLeave = -3;  ///< goes on at machine code at arg[0]

/// Memory that both sides see: operands, programs and results. `remote` is where the tracee sees it.
/// Never gives memory back; the area goes with the stub at the end.
class Arena {
 public:
  Arena() = default;
  Arena(std::byte* local, RemoteAddr remote, size_t size) : local_(local), remote_(remote), size_(size) {}

  /// Room for n bytes, zeroed. Throws Error(internal) when the area is full.
  RemoteAddr alloc(size_t n, size_t align = 16);
  /// Copies bytes there.
  RemoteAddr put(const void* bytes, size_t n, size_t align = 16);
  /// NUL-terminated copy.
  RemoteAddr put_string(std::string_view text);
  template <class T>
  RemoteAddr put(const T& value) {
    return put(&value, sizeof value, alignof(T) < 8 ? 8 : alignof(T));
  }
  /// The local view of a remote address inside the arena.
  template <class T = std::byte>
  T* local(RemoteAddr at) const {
    return reinterpret_cast<T*>(local_ + (at.value - remote_.value));
  }
  size_t used() const { return used_; }
  size_t size() const { return size_; }
  RemoteAddr base() const { return remote_; }

 private:
  std::byte* local_ = nullptr;
  RemoteAddr remote_{};
  size_t size_ = 0, used_ = 0;
};

/// Converts an argument of a syscall to its register value.
template <class T>
uint64_t to_register(T v) {
  if constexpr (std::is_same_v<T, RemoteAddr>)
    return v.value;
  else if constexpr (std::is_same_v<T, NsPid>)
    return static_cast<uint64_t>(static_cast<int64_t>(v.value));
  else if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<uint64_t>(v);
  else
    return static_cast<uint64_t>(static_cast<int64_t>(v));
}

/// A list of syscalls for one task. Indices returned stay valid.
class Program {
 public:
  using Index = size_t;

  /// Appends a call that must succeed: the program ends at the first one that does not.
  template <class... Args>
  Index call(long nr, Args... args) {
    return add(0, nr, {to_register(args)...});
  }
  /// Appends a call whose failure is an ordinary outcome.
  template <class... Args>
  Index allow(long nr, Args... args) {
    return add(1, nr, {to_register(args)...});
  }
  /// The result of record `from` also becomes argument `arg` of the later record `to`. One target a record.
  void feed(Index from, Index to, unsigned arg);
  /// Argument `arg` of record `from` is the address of argument `of_arg` of record `of`: for a call that stores what a
  /// later one needs.
  void point(Index from, unsigned arg, Index of, unsigned of_arg);
  /// A word of explanation for the last record, used in error messages ("map 7f00-7f10", "fd 3").
  void note(std::string text);
  const std::string& note_of(Index i) const;

  size_t size() const { return records_.size(); }
  bool empty() const { return records_.empty(); }
  const std::vector<Record>& records() const { return records_; }
  Record& at(Index i) { return records_[i]; }

  /// Copies the program into the arena, ended by `end` (kEndProgram, or a jump to `next`). Returns its address.
  RemoteAddr store(Arena& arena) const;
  RemoteAddr store_then(Arena& arena, RemoteAddr next) const;
  /// The same for code that is written afterwards: leave_at() names it.
  RemoteAddr store_leaving(Arena& arena) const;
  void leave_at(const Arena& arena, RemoteAddr stored, RemoteAddr code) const;

 private:
  RemoteAddr store(Arena& arena, int32_t end, uint64_t operand) const;
  Index add(int control, long nr, std::initializer_list<uint64_t> args);

  std::vector<Record> records_;
  std::vector<std::pair<Index, std::string>> notes_;
  struct Pointer {
    Index from, of;
    unsigned arg, of_arg;
  };
  std::vector<Pointer> pointers_;
};

}  // namespace nsr
