// Network namespaces as sockets know them.
#pragma once

#include <cstdint>

#include "engine/base/unique_fd.h"
#include "pidns/in_namespace.h"

namespace nsr {

/// Descriptor of the network namespace of a socket (SIOCGSKNS, Linux 4.10; CAP_NET_ADMIN there); empty when the kernel
/// does not tell.
UniqueFd network_namespace(int socket);
/// Inode of that namespace; of the calling thread's when the kernel does not tell.
uint64_t network_namespace_of(int socket);
/// Inode of the calling thread's.
uint64_t current_network_namespace();

/// Puts the calling thread into a network namespace for as long as it lives; an empty descriptor changes nothing.
class InNetworkNamespace : public InNamespace {
 public:
  /// Throws Error(environment).
  explicit InNetworkNamespace(const UniqueFd& target) : InNamespace(target, "net") {}
};

}  // namespace nsr
