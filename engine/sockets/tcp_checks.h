// What of a TCP socket no option lets keep, and who is at the other end of a connection that is refused.
#pragma once

#include <string>

#include "engine/sockets/inet_address.h"
#include "engine/sockets/sock_diag.h"

namespace nsr {

/// Throws Error(unsupported) for a socket whose protocol the kernel changes on the way: an upper layer (TCP_ULP: kTLS
/// and the like) or authentication by TCP-AO (RFC 5925), whose keys and counters cannot be read back.
void refuse_upper_layers(int fd, const std::string& object);
/// The same for MD5 signatures (RFC 2385), which only sock_diag tells of.
void refuse_signatures(const TcpRecord& record, const std::string& object);

/// Throws the Error(unsupported) of a connection for which no option was given. Names both addresses, its state, the
/// process that has the other end when it is one of this network namespace, and the options.
[[noreturn]] void refuse_connection(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                                    const std::string& object);

}  // namespace nsr
