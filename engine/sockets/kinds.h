// The kinds of this room, in the order in which the registry names them.
#pragma once

#include <memory>

namespace nsr {

class Kind;

std::unique_ptr<Kind> make_unix_kind();
std::unique_ptr<Kind> make_inet_kind();
std::unique_ptr<Kind> make_netlink_kind();
std::unique_ptr<Kind> make_packet_kind();
/// Any other socket: matches last, refuses with the protocol's name and the reason.
std::unique_ptr<Kind> make_other_socket_kind();

}  // namespace nsr
