// IPv4 and IPv6 socket addresses: kernel form, image form (32-bit words as they lie in memory), and text for people.
#pragma once

#include <google/protobuf/repeated_field.h>
#include <netinet/in.h>

#include <string>

#include "engine/sockets/socket_base.h"

namespace nsr {

using AddressWords = google::protobuf::RepeatedField<uint32_t>;

uint16_t port_of(const SocketAddress& address);
/// Appends the words of the address (1 for AF_INET, 4 for AF_INET6); zeros for an address that is not there.
void address_words(int family, const SocketAddress& address, AddressWords& words);
/// Interface of a link-local address, by name; empty when it has none.
std::string scope_of(const SocketAddress& address);

/// Builds the kernel's form. Throws Error(image) for a wrong number of words, a port above 65535 or an unknown family;
/// Error(environment) when the interface of a link-local address does not exist.
SocketAddress make_address(uint32_t family, const AddressWords& words, uint32_t port, const std::string& ifname,
                           const std::string& object);
bool is_any(const AddressWords& words);

/// "127.0.0.1:80", "[::1]:80".
std::string address_text(const SocketAddress& address);

}  // namespace nsr
