// The network held still for some connections: what sockets ask for, engine/namespaces/network_lock does it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>

namespace nsr {

/// SO_MARK of the packets that a restore makes itself; the lock lets them through.
inline constexpr uint32_t kLockPassMark = 0xc114;

/// One TCP connection by its two addresses (sockaddr_in or sockaddr_in6; v4-mapped ones are spoken as IPv4).
struct Connection {
  sockaddr_storage local{}, peer{};
};

class ConnectionLock {
 public:
  virtual ~ConnectionLock() = default;
  /// From here on no packet of these connections comes in or goes out in the network namespace of `socket`, except
  /// those with the mark above. All at once, or Error(environment). May be called again.
  virtual void hold(std::span<const Connection> connections, int socket) = 0;
};

}  // namespace nsr
