// What of a TCP socket no option lets keep, and who is at the other end of a connection that is refused.
#pragma once

#include <string>

#include "engine/sockets/inet_address.h"
#include "engine/sockets/sock_diag.h"
#include "nsr-sk.pb.h"

namespace nsr {

/// What the kernel changes of the protocol on the way.
struct UpperLayers {
  std::string protocol;  ///< TCP_ULP: kTLS and the like; empty: none
  bool signs = false;    ///< by TCP-AO (RFC 5925)
};
UpperLayers upper_layers(int fd);
/// Throws Error(unsupported) when there is any: keys and counters cannot be read back.
void refuse_upper_layers(const UpperLayers& layers, const std::string& object);
/// The same for a connection with MD5 signatures one half of which the peer has closed: a restore tells the socket of
/// that by a segment in the peer's name, which it does not sign.
void refuse_signed_end(const pb::nsr_sk_entry& extra, uint32_t state, const std::string& object);

/// Throws the Error(unsupported) of a connection for which no option was given. Names both addresses, its state, the
/// process that has the other end when it is one of this network namespace, and the options.
[[noreturn]] void refuse_connection(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                                    const std::string& object);

}  // namespace nsr
