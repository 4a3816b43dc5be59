// Datagrams of UDP and UDP-Lite that wait: those that came are kept, those behind a cork cannot be.
#pragma once

#include <string>

#include "engine/sockets/inet_address.h"
#include "nsr-sk.pb.h"
#include "sk-inet.pb.h"

namespace nsr {

class PeekGuard;

/// Throws Error(unsupported) when the socket, bound to `local`, has data behind UDP_CORK or MSG_MORE: the kernel does
/// not give it back. Sends nothing.
void refuse_corked_data(int fd, const SocketAddress& local, const std::string& object);

/// Looks at the datagrams that nobody has read, with what of their headers the socket would be told.
void collect_datagrams(int fd, pb::nsr_sk_entry& extra, PeekGuard& guard, const std::string& object);

/// Sends them again to a socket that is bound, not connected and has no filter yet, in the names of their senders, over
/// the loopback device. What does not come is told in a warning. Times of arrival and interfaces are the new ones.
void refill_datagrams(int fd, const pb::inet_sk_entry& sk, const pb::nsr_sk_entry& extra, const std::string& object);

}  // namespace nsr
