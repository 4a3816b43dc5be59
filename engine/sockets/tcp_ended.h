// TCP sockets whose connection is over (state CLOSE after a FIN, a reset or a refusal) while the task has not been told
// yet: data that came before the end, and the error that its next call gets.
#pragma once

#include "engine/sockets/inet_address.h"
#include "nsr-sk.pb.h"

namespace nsr {

class PeekGuard;

/// Reads both without taking them. The kernel tells that an error waits, not which; a connection was reset, an attempt
/// refused.
void collect_ended(int fd, pb::nsr_sk_entry& extra, PeekGuard& guard, const std::string& object);

/// Gives them to a fresh socket, by a connection from `local` to nobody that ends at once. Never fails: what cannot be
/// given back is told in the log.
void restore_ended(int fd, const SocketAddress& local, const pb::nsr_sk_entry& extra, const std::string& object);

}  // namespace nsr
