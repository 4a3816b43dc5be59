// BPF programs that steer groups of SO_REUSEPORT (SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF of socket(7)).
#pragma once

#include <string>
#include <vector>

#include "engine/base/unique_fd.h"

namespace nsr {

struct SteeredSocket {
  UniqueFd fd;
  std::string object;
};

/// Throws Error(unsupported) naming the first of these sockets whose group has such a program: the kernel tells of it
/// by no call. A BPF program of our own looks (iterator over socket storage, Linux 5.9, with the kernel's type
/// information). False when the kernel lets no such program run.
[[nodiscard]] bool refuse_steered_groups(const std::vector<SteeredSocket>& sockets);

}  // namespace nsr
