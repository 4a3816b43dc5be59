// /proc/PID/auxv (proc_pid_auxv(5), getauxval(3)): binary, pairs of native words.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nsr::procfs {

struct AuxEntry {
  uint64_t type = 0, value = 0;
  bool operator==(const AuxEntry&) const = default;
};

/// Entries up to AT_NULL, which is not among them. 64-bit tasks only. Empty text (zombie, kernel thread): no entries.
std::vector<AuxEntry> parse_auxv(std::string_view bytes);
/// Value of the first entry of a type (AT_*).
std::optional<uint64_t> aux_value(const std::vector<AuxEntry>& auxv, uint64_t type);

}  // namespace nsr::procfs
