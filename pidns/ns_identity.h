// Which namespace a task is in: two tasks share a namespace exactly when these are equal (namespaces(7)).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "engine/base/ids.h"

namespace nsr {

struct NsIdentity {
  uint64_t dev = 0;
  uint64_t ino = 0;  ///< the number in the brackets of "pid:[4026531836]"
  friend auto operator<=>(const NsIdentity&, const NsIdentity&) = default;
};

/// kind: a name in /proc/PID/ns, like "pid", "mnt", "pid_for_children". Nothing when the task is gone, is a zombie
/// (which has no namespaces but its pid namespace) or may not be looked at; errno tells.
std::optional<NsIdentity> ns_identity(HostPid pid, const char* kind);
/// The caller's own.
std::optional<NsIdentity> own_ns_identity(const char* kind);

}  // namespace nsr
