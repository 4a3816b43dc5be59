// /proc/PID/fdinfo/FD of an io_uring (io_uring_setup(2)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nsr::procfs {

struct RingInfo {
  uint32_t sq_mask = 0, cq_mask = 0;  ///< entries - 1
  uint32_t sq_head = 0, sq_tail = 0;  ///< as in the shared memory
  uint32_t cq_head = 0, cq_tail = 0;
  uint32_t cached_sq_head = 0, cached_cq_tail = 0;  ///< the kernel's own: requests taken, completions posted
  int32_t sq_thread = -1;                           ///< pid of the submission thread (IORING_SETUP_SQPOLL)
  std::vector<std::optional<std::string>> files;    ///< registered files by slot: what readlink says of them
  std::vector<std::optional<std::pair<uint64_t, uint64_t>>> buffers;  ///< registered buffers: address, length
  bool personalities = false;                                         ///< credentials are registered (shown up to 6.17)
  bool polls = false;                                                 ///< requests wait for readiness of a file
  bool overflow = false;                                              ///< completions wait for room in the ring
};

/// Nothing when the text lacks the positions (before Linux 5.18). Throws Error(environment) for a malformed line.
std::optional<RingInfo> parse_ring(std::string_view text);

}  // namespace nsr::procfs
