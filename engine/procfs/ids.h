// Small files of numbers: children, uid_map, gid_map, timens_offsets, sysctls.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace nsr::procfs {

/// /proc/PID/task/TID/children: pids blank separated. Exact only while the whole tree is stopped.
std::vector<int32_t> parse_children(std::string_view text);

/// One line of uid_map, gid_map (user_namespaces(7)).
struct IdMapping {
  uint32_t inner = 0, outer = 0, count = 0;
  bool operator==(const IdMapping&) const = default;
};
std::vector<IdMapping> parse_id_map(std::string_view text);

/// One line of timens_offsets (time_namespaces(7)).
struct TimensOffset {
  int clock_id = 0;  ///< CLOCK_MONOTONIC or CLOCK_BOOTTIME
  int64_t sec = 0;
  int64_t nsec = 0;
  bool operator==(const TimensOffset&) const = default;
};
std::vector<TimensOffset> parse_timens_offsets(std::string_view text);

/// A sysctl file of one or more decimal numbers. `kind` names it in an error.
std::vector<int64_t> parse_numbers(const char* kind, std::string_view text);
/// A sysctl file of exactly one number.
int64_t parse_number(const char* kind, std::string_view text);

}  // namespace nsr::procfs
