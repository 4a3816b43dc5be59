// /proc/locks and the "lock:" lines of fdinfo (proc_locks(5)).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nsr::procfs {

struct FileLock {
  enum class Kind { posix, flock, ofd, lease, deleg, access };
  enum class Type { read, write, unlock };
  enum class State { held, breaking, breaker };  ///< leases and delegations can be breaking
  uint64_t id = 0;                               ///< number of the line; waiters repeat that of the lock they wait for
  bool waiting = false;                          ///< "->": blocked, not held
  Kind kind = Kind::posix;
  State state = State::held;
  bool mandatory = false;  ///< before 5.15
  Type type = Type::read;
  int32_t pid = 0;  ///< as /proc's namespace sees the taker; -1 for OFD locks, 0 when outside the namespace
  uint32_t dev_major = 0, dev_minor = 0;
  uint64_t inode = 0;
  uint64_t start = 0;
  std::optional<uint64_t> end;  ///< last byte, inclusive; no value = to the end of the file
  bool operator==(const FileLock&) const = default;
};

/// One line "1: POSIX  ADVISORY  WRITE 595 00:14:607 0 EOF" (without "lock:" and newline).
FileLock parse_lock(std::string_view line);
/// Whole /proc/locks. Locks of a pid outside the namespace are left out by the kernel.
std::vector<FileLock> parse_locks(std::string_view text);

}  // namespace nsr::procfs
