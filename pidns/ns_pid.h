// A task's ids in the pid namespaces it lives in: the outer one that our /proc shows, the inner one that images hold.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"

namespace nsr {

/// The ids of one task, from the namespace of the reading /proc inwards. Never empty; one element means that the
/// task lives in the reader's own namespace.
struct NsPidChain {
  std::vector<int32_t> ids;
  HostPid outer() const { return HostPid(ids.front()); }
  NsPid inner() const { return NsPid(ids.back()); }
  /// How many namespaces below the reader's the task lives.
  size_t depth() const { return ids.size() - 1; }
};

/// From the text of /proc/PID/status: the "NSpid:" line (proc(5), Linux 4.1). Nothing when it is missing or damaged.
std::optional<NsPidChain> parse_nspid(std::string_view status_text);
/// The same for "NStgid:", "NSpgid:" and "NSsid:". An id that the inner namespaces cannot see stands there as 0.
std::optional<NsPidChain> parse_ns_ids(std::string_view status_text, std::string_view key);

/// Reads /proc/PID/status. Nothing when the task is gone.
std::optional<NsPidChain> ns_pid_chain(HostPid pid);

}  // namespace nsr
